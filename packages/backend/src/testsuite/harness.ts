import type { Fetcher, ImageConfig, Platform, Sandbox, SnapshotName, Store } from '../index.ts';

interface HarnessBase {
  /**
   * `windows`: files have no owner and no mode, names are found in any case, and users are known by name. What the suites
   * say of those is then left out or said otherwise; everything else holds as it stands. `posix` unless given.
   */
  readonly files?: 'posix' | 'windows';
  /**
   * What of ours is alive or unfinished now: a line per task, container, working snapshot, lease, mount, network or cache in
   * use. The suites expect none after every test.
   */
  readonly leftovers: () => Promise<string[]>;
  /** Ends everything and deletes the test's data. */
  readonly close: () => Promise<void>;
}

/** What the store's suite needs of a back end. A fresh one for each test. */
export interface StoreHarness extends HarnessBase {
  readonly store: Store;
  /** Drops the store as a crash would, with all that is unfinished left lying, and opens another on the same data. */
  readonly crash: () => Promise<Store>;
  /** Runs the garbage collector to its end. */
  readonly collectGarbage: () => Promise<void>;
  /** Puts things beside ours that are not ours: what reconcile must not touch. Tells later whether all are still there. */
  readonly plantForeign: () => Promise<{ intact(): Promise<boolean> }>;
  /** Files in a cache's host directory. `read` gives undefined where there is none. */
  readonly hostFiles: {
    write(path: string, text: string): Promise<void>;
    read(path: string): Promise<string | undefined>;
    stat(path: string): Promise<{ uid: number; gid: number; mode: number } | undefined>;
  };
}

/** What the sandbox's suite needs of a back end. A fresh one for each test. */
export interface SandboxHarness extends HarnessBase {
  readonly store: Store;
  readonly sandbox: Sandbox;
  readonly platform: Platform;
  /** A committed snapshot with `/bin/sh` and the usual small tools (busybox is enough). The suite adds users on its own. */
  readonly base: SnapshotName;
}

/** An image of the registry that the fetcher's suite talks to. */
export interface TestImage {
  readonly reference: string;
  /** A file in it, and its content. */
  readonly file: { readonly path: string; readonly text: string };
  readonly config: ImageConfig;
}

/** What the fetcher's suite needs of a back end. A fresh one, with an empty store, for each test. */
export interface FetcherHarness extends HarnessBase {
  readonly store: Store;
  readonly fetcher: Fetcher;
  readonly platform: Platform;
  /** Anybody may pull it. Several layers; its config sets all of env, user, workdir and shell. */
  readonly image: TestImage;
  /** Moves the tag of `image` to another image, and says what that holds. */
  readonly moveTag: () => Promise<TestImage>;
  /** Needs credentials, which the fetcher has. */
  readonly privateImage: TestImage;
  /** Needs credentials, which the fetcher lacks. */
  readonly refusedReference: string;
  readonly missingReference: string;
  /** Its index has images, but none for `platform`. */
  readonly otherPlatform: { readonly reference: string; readonly available: string };
  /** A layer's bytes do not match their digest. */
  readonly corruptReference: string;
  /** Its registry does not answer. */
  readonly unreachableReference: string;
  /** Layers that registries were asked for so far. */
  readonly layerDownloads: () => number;
  /** Makes the next layer's connection drop in the middle, once. */
  readonly dropNextLayer: () => void;
  /** An OCI layout or `docker save` archive with one image, and the name that it carries. */
  readonly archive: () => { readonly bytes: AsyncIterable<Uint8Array>; readonly image: TestImage };
}

export type HarnessFactory<H extends HarnessBase> = () => Promise<H>;
