import { useEffect, useEffectEvent, type RefObject } from 'react';

interface PointerActions {
  click(x: number, y: number): void;
  doubleClick(x: number, y: number): void;
  /** Negative when the pointer left. */
  hover(x: number, y: number): void;
  pan(dx: number, dy: number): void;
  /** By `factor` about `x`; below 1 is in. */
  zoom(factor: number, x: number): void;
}

const dragAfterPixels = 4;

/** Mouse, pen and fingers on a canvas: click, double click, drag to pan, wheel or two fingers to zoom. */
export function usePointer(ref: RefObject<HTMLElement | null>, actions: PointerActions): void {
  const current = useEffectEvent(() => actions);
  useEffect(() => {
    const element = ref.current!;
    const down = new Map<number, { x: number; y: number }>();
    let dragged = false;
    const place = (event: MouseEvent) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const span = () => {
      const [a, b] = [...down.values()];
      return a && b ? { size: Math.max(20, Math.abs(a.x - b.x)), middle: (a.x + b.x) / 2 } : null;
    };
    const on = {
      pointerdown: (event: PointerEvent) => {
        if (event.button !== 0) return;
        if (down.size === 0) dragged = false;
        down.set(event.pointerId, place(event));
      },
      pointermove: (event: PointerEvent) => {
        const now = place(event);
        const before = down.get(event.pointerId);
        if (before === undefined) return current().hover(now.x, now.y);
        if (!dragged && Math.hypot(now.x - before.x, now.y - before.y) < dragAfterPixels) return;
        if (!dragged) element.setPointerCapture(event.pointerId);
        dragged = true;
        const old = span();
        down.set(event.pointerId, now);
        const next = span();
        if (old !== null && next !== null) current().zoom(old.size / next.size, next.middle);
        else current().pan(now.x - before.x, now.y - before.y);
      },
      pointerup: (event: PointerEvent) => {
        if (!down.delete(event.pointerId) || dragged) return;
        const { x, y } = place(event);
        current().click(x, y);
      },
      pointercancel: (event: PointerEvent) => down.delete(event.pointerId),
      pointerleave: () => current().hover(-1, -1),
      dblclick: (event: MouseEvent) => {
        const { x, y } = place(event);
        current().doubleClick(x, y);
      },
      wheel: (event: WheelEvent) => {
        event.preventDefault();
        const { x } = place(event);
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
          current().pan(-(event.deltaX || event.deltaY), 0);
        else current().zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), x);
      },
    };
    for (const [name, listener] of Object.entries(on))
      element.addEventListener(name, listener as EventListener, { passive: false });
    return () => {
      for (const [name, listener] of Object.entries(on)) element.removeEventListener(name, listener as EventListener);
    };
  }, [ref]);
}
