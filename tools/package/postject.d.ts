declare module 'postject' {
  /** Puts a resource into an executable, in place, and flips the fuse. */
  export function inject(
    file: string,
    resource: string,
    data: Buffer,
    options: { readonly sentinelFuse: string },
  ): Promise<void>;
}
