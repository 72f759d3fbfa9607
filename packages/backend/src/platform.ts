/** What an image is built for and a step runs on. Part of every step id. */
export interface Platform {
  readonly os: 'linux' | 'windows';
  /** As in OCI: `amd64`, `arm64`. */
  readonly architecture: string;
  /** Windows only: the image's build, such as `10.0.20348.2700`. */
  readonly osVersion?: string;
}

/** `os/arch`, and on Windows the OS build behind it. */
export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.osVersion === undefined ? base : `${base}:${platform.osVersion}`;
}

/** As whom a step runs, before anybody has looked into the image. */
export type User =
  | { readonly kind: 'id'; readonly uid: number; readonly gid: number }
  /** A name, or the text of an image's `User` (`name`, `uid`, `uid:gid`, `name:group`). */
  | { readonly kind: 'name'; readonly name: string };

/** A user as the file system knows it. On Windows only `name` means something. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly name?: string;
}
