import { defineErrors } from './define.ts';

export const backendErrors = defineErrors({
  'backend.snapshot-missing': {
    status: 409,
    message: 'The snapshot {name} is not on this agent any more.',
    remedy: 'Build again: the steps above it are built anew.',
  },
  'backend.snapshot-in-use': {
    status: 409,
    message: 'The snapshot {name} is in use: other snapshots or running steps stand on it.',
    remedy: 'Delete what stands on it first, or delete the whole subtree.',
  },
  'backend.cache-in-use': {
    status: 409,
    message: 'The cache {id} is in use by a running step.',
    remedy: 'Wait for the step to end, or cancel its build.',
  },
  'backend.unknown-user': {
    status: 422,
    message: 'The image has no user "{user}".',
    remedy: 'Name a user of the image, or give (user (uid N) (gid N)).',
  },
  'backend.command-not-found': {
    status: 422,
    message: 'The image has no "{command}" to run the step with.',
    remedy: 'Set another shell with (shell …), or use a base image that has it.',
  },
  'backend.run-failed': {
    status: 500,
    message: 'The step could not be started: {reason}.',
    remedy: "Look at the agent's page; `loam-agent healthcheck` on the host tells what is wrong there.",
  },
  'backend.will-not-die': {
    status: 500,
    message: 'A process of the step could not be ended.',
    remedy: 'The agent takes no more work until its host has been looked at.',
  },
  'backend.reference-invalid': {
    status: 422,
    message: '"{reference}" is not an image reference: {reason}.',
    remedy: 'Write it as name:tag, registry/name:tag or name@sha256:….',
  },
  'backend.image-not-found': {
    status: 422,
    message: 'There is no image {reference}.',
    remedy: 'Check the name and tag; import local images with `loam-agent image import FILE`.',
  },
  'backend.registry-auth': {
    status: 422,
    message: 'The registry {host} refused access to {reference}.',
    remedy: 'Give the agent credentials for this registry, or use a public image.',
  },
  'backend.registry-unreachable': {
    status: 502,
    message: 'The registry {host} could not be reached: {reason}.',
    remedy: "Check the agent's network, or configure a mirror.",
  },
  'backend.platform-missing': {
    status: 422,
    message: '{reference} has no image for {platform}; it has {available}.',
    remedy: 'Use a tag made for this platform, or another pool.',
  },
  'backend.digest-mismatch': {
    status: 502,
    message: '{reference}: the registry sent bytes that do not match their digest.',
    remedy: 'Try again; if it stays, the registry or a proxy on the way is broken.',
  },
  'backend.image-invalid': {
    status: 422,
    message: 'The image {reference} cannot be used: {reason}.',
    remedy: 'Build or export the image again with a current tool.',
  },
  'backend.archive-invalid': {
    status: 422,
    message: 'The archive holds no image that can be used: {reason}.',
    remedy: 'Give an OCI layout or `docker save` archive, as a tar file, plain or gzipped.',
  },
  'backend.name-unsupported': {
    status: 422,
    message: 'The file name "{name}" cannot be kept in a layer: {reason}.',
    remedy: 'Rename the file, or exclude it from the copy.',
  },
  'backend.network-unsupported': {
    status: 422,
    message: 'This agent has no network of kind "{network}".',
    remedy: 'Use (network host), or no network.',
  },
  'backend.state-locked': {
    status: 409,
    message: 'Another process (pid {pid}) uses the state directory {directory}.',
    remedy: 'Stop the other agent, or give this one a state directory of its own.',
  },
});
