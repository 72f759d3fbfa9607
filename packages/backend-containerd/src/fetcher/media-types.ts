/** Media types of images. Source: OCI image-spec media-types.md, Docker "Image Manifest V2, Schema 2". */
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociIndex = 'application/vnd.oci.image.index.v1+json';
export const ociConfig = 'application/vnd.oci.image.config.v1+json';
export const ociLayer = 'application/vnd.oci.image.layer.v1.tar';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';

export const manifestAccept = [ociIndex, dockerList, ociManifest, dockerManifest].join(', ');

export function isIndex(mediaType: string): boolean {
  return mediaType === ociIndex || mediaType === dockerList;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === ociManifest || mediaType === dockerManifest;
}
