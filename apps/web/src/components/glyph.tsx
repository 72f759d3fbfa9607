import type { ReactNode } from 'react';

export type Tone = 'moss' | 'water' | 'ochre' | 'clay' | 'heather' | 'stone';

export type GlyphShape =
  | 'check'
  | 'cross'
  | 'layers'
  | 'dot'
  | 'ring'
  | 'dash'
  | 'stop'
  | 'link'
  | 'spinner'
  | 'warning';

const shapes: Record<GlyphShape, ReactNode> = {
  check: <path d="M3.2 8.4l3.1 3.1 6.5-7" />,
  cross: <path d="M4 4l8 8M12 4l-8 8" />,
  layers: <path d="M2.5 5.6L8 2.8l5.5 2.8L8 8.4zM2.5 9.6L8 12.4l5.5-2.8" />,
  dot: <circle cx="8" cy="8" r="3" fill="currentColor" stroke="none" />,
  ring: <circle cx="8" cy="8" r="4.6" />,
  dash: <path d="M4 8h8" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" />,
  link: (
    <path d="M6.7 9.3l2.6-2.6M7.6 4.9l1.2-1.2a2.5 2.5 0 013.5 3.5l-1.2 1.2M8.4 11.1l-1.2 1.2a2.5 2.5 0 01-3.5-3.5l1.2-1.2" />
  ),
  spinner: <path d="M8 2.6A5.4 5.4 0 1 0 13.4 8" />,
  warning: <path d="M8 2.8l5.8 10.4H2.2zM8 6.6v3.2M8 11.6v.1" />,
};

/** A small sign. It is decoration: the text beside it, or `label`, says the same. */
export function Glyph({
  shape,
  tone,
  size = 14,
  label,
}: {
  shape: GlyphShape;
  tone?: Tone;
  size?: number;
  label?: string;
}) {
  return (
    <svg
      className={`glyph${shape === 'spinner' ? ' spin' : ''}${tone ? ` tone-${tone}` : ''}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    >
      {label === undefined ? null : <title>{label}</title>}
      {shapes[shape]}
    </svg>
  );
}
