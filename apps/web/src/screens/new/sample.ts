/** A small spec that shows a nested build, a copy between builds and a cache. Needs no files. */
export const sampleSpec = `; Two builds: one makes a file, the other takes it.
((build tools
        ((from loam.local/busybox:latest)
         (workdir /out)
         (run (shell "date > built-at && echo tools are ready"))))
 (from loam.local/busybox:latest)
 (workdir /work)
 (copy (from (build tools)) (src /out/built-at) (dst /work/))
 (run (cache (scratch (target /var/cache/scratch)))
      (shell "cat built-at; for i in 1 2 3 4 5; do echo line $i; sleep 1; done"))
 (env GREETING "hello")
 (run (shell "echo $GREETING from Loam"))
)
`;
