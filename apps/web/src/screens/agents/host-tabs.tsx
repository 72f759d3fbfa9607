import type { KeyboardEvent } from 'react';

/** What the agent is to be added to; `manual` is a container, or an agent that is on its host already. */
export type HostKind = 'windows' | 'linux' | 'manual';

interface Platform {
  readonly label: string;
  /** Of the package that the line downloads. */
  readonly platform: string | null;
  readonly needs: string;
}

export const platforms: Readonly<Record<HostKind, Platform>> = {
  windows: {
    label: 'Windows',
    platform: 'windows-x64',
    needs:
      'Windows Server 2019 or newer. The line enables containers, installs containerd and the agent as a service, and enrols it.',
  },
  linux: {
    label: 'Linux',
    platform: 'linux-x64',
    needs: 'Debian or the like, x86-64. The line installs containerd, runc and the agent as a service, and enrols it.',
  },
  manual: {
    label: 'Container or by hand',
    platform: null,
    needs: 'For an agent in a container, or one that is on its host already. You get its token and the commands.',
  },
};

export const defaultPools: Readonly<Record<HostKind, string>> = {
  windows: 'windows-ltsc2022',
  linux: 'linux',
  manual: 'linux',
};

const kinds = Object.keys(platforms) as HostKind[];

/** Tabs as the ARIA practices have them: one stop for Tab, arrows, Home and End between them. */
export function HostTabs({ kind, onChange }: { kind: HostKind; onChange: (kind: HostKind) => void }) {
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = kinds.indexOf(kind);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: kinds.length - 1 }[event.key];
    const next = to === undefined ? undefined : kinds.at(to % kinds.length);
    if (next === undefined) return;
    event.preventDefault();
    onChange(next);
    document.getElementById(`enrol-tab-${next}`)?.focus();
  };
  return (
    <div role="tablist" aria-label="Kind of host" className="enrol-tabs" onKeyDown={onKeyDown}>
      {kinds.map((each) => (
        <button
          key={each}
          id={`enrol-tab-${each}`}
          type="button"
          role="tab"
          aria-selected={each === kind}
          aria-controls="enrol-form"
          tabIndex={each === kind ? 0 : -1}
          autoFocus={each === kind}
          onClick={() => onChange(each)}
        >
          {platforms[each].label}
        </button>
      ))}
    </div>
  );
}
