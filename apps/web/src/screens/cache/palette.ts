import type { Palette } from '../../graph/paint.ts';

/** The theme's colours as a canvas understands them. Resolved through a probe: custom properties may hold light-dark(). */
export function readPalette(element: HTMLElement): Palette {
  const probe = document.createElement('span');
  element.parentElement!.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    from: colour('stratum-from'),
    run: colour('stratum-run'),
    copy: colour('stratum-copy'),
    text: colour('stratum-text'),
    ink: colour('ink'),
    match: colour('clay'),
    font: `12px ${getComputedStyle(document.documentElement).getPropertyValue('--font-mono')}`,
  };
  probe.remove();
  return palette;
}
