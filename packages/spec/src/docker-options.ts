/** What a Dockerfile is written for. */
export interface DockerfileOptions {
  readonly platform: 'unix' | 'windows';
  /** Whether caches, secrets and here-documents may be used. */
  readonly buildkit: boolean;
}
