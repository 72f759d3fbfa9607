import type { DoctorReport, Finding } from '@loam/contracts';
import { useState, type ReactNode } from 'react';

import { CopyButton } from '../../components/copy-button.tsx';
import { formatDuration, formatTime, plural } from '../../components/format.ts';
import { Glyph, type GlyphShape, type Tone } from '../../components/glyph.tsx';

interface Group {
  readonly status: Finding['status'];
  readonly title: string;
  readonly tone: Tone;
  readonly shape: GlyphShape;
}

const groups: readonly Group[] = [
  { status: 'problem', title: 'Problems', tone: 'clay', shape: 'cross' },
  { status: 'warning', title: 'Warnings', tone: 'ochre', shape: 'warning' },
  { status: 'unknown', title: 'Not known', tone: 'heather', shape: 'ring' },
  { status: 'ok', title: 'In order', tone: 'moss', shape: 'check' },
  { status: 'skipped', title: 'Not looked at', tone: 'stone', shape: 'dash' },
];

/** A report by status: what needs somebody in full, the rest folded away. */
export function FindingList({ report }: { report: DoctorReport }) {
  const [showAll, setShowAll] = useState(false);
  const of = (status: Finding['status']): Finding[] => report.findings.filter((finding) => finding.status === status);
  const quiet = groups.filter(({ status }) => status === 'ok' || status === 'skipped');
  const quietCount = quiet.reduce((sum, { status }) => sum + of(status).length, 0);
  const loud = groups.filter((group) => !quiet.includes(group));
  return (
    <div className="stack findings">
      {loud.map((group) => (
        <FindingGroup key={group.status} group={group} findings={of(group.status)} />
      ))}
      {showAll ? (
        quiet.map((group) => <FindingGroup key={group.status} group={group} findings={of(group.status)} />)
      ) : (
        <p className="soft">
          {loud.every(({ status }) => of(status).length === 0) ? 'Nothing is wrong with this host. ' : ''}
          <button type="button" className="button quiet small" onClick={() => setShowAll(true)}>
            Show what is in order ({quietCount})
          </button>
        </p>
      )}
      <p className="faint doctor-when">
        {plural(report.findings.length, 'check')} in {formatDuration(report.durationMs)}, {formatTime(report.at)}, agent{' '}
        {report.version} on {report.platform}
      </p>
    </div>
  );
}

function FindingGroup({ group, findings }: { group: Group; findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <section className="finding-group">
      <h3 className="finding-heading">
        <Glyph shape={group.shape} tone={group.tone} />
        {group.title} <span className="faint numbers">{findings.length}</span>
      </h3>
      <ul>
        {findings.map((finding) => (
          <FindingItem key={finding.id} finding={finding} tone={group.tone} />
        ))}
      </ul>
    </section>
  );
}

function FindingItem({ finding, tone }: { finding: Finding; tone: Tone }) {
  const { id, title, status, evidence, meaning, remedy, fixable } = finding;
  if (status === 'ok' || status === 'skipped') {
    return (
      <li className="finding quiet">
        <span>{title}</span>
        <span className="soft">{evidence}</span>
      </li>
    );
  }
  return (
    <li className={`finding tone-${tone}`}>
      <p className="row spread wrap">
        <strong>{title}</strong>
        <code className="faint">{id}</code>
      </p>
      <p className="finding-evidence">{evidence}</p>
      <p className="soft">{meaning}</p>
      {remedy === null ? null : (
        <p className="finding-remedy">
          <span>{withCode(remedy)}</span>
          {fixable ? <span className="soft">Stop the agent first: the fix needs the host for itself.</span> : null}
          <CopyRemedy remedy={remedy} />
        </p>
      )}
    </li>
  );
}

/** What stands behind `Run: ` or between backticks is meant to be pasted. */
function CopyRemedy({ remedy }: { remedy: string }) {
  const command = /\bRun: (.+)$/.exec(remedy)?.[1] ?? /PowerShell: (.+)$/.exec(remedy)?.[1];
  return command === undefined ? null : <CopyButton text={command} what="the command" />;
}

/** Text with its backticked parts as code. */
function withCode(text: string): ReactNode[] {
  return text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}
