import { useLayoutEffect, useRef, type RefObject } from 'react';

/**
 * For the heading of a page or part (with `tabIndex={-1}`): takes the focus when `moment` changes, if what had it has gone from
 * the page. Without that, whoever uses the keyboard would begin at the top again, and a screen reader would say nothing.
 */
export function useHeadingFocus(moment: unknown): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    const { activeElement, body } = document;
    if (activeElement === null || activeElement === body) heading.current?.focus({ preventScroll: true });
  }, [moment]);
  return heading;
}
