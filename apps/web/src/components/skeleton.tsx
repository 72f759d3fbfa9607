/** Rows of grey where content will be. */
export function Skeleton({ rows = 6, height = 36 }: { rows?: number; height?: number }) {
  return (
    <div className="stack" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton" style={{ height }} />
      ))}
    </div>
  );
}
