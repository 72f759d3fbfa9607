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
  'backend.remains': {
    status: 500,
    message: 'Windows could not delete {count} removed snapshots: they lie as rm-* in {directory}.',
    remedy:
      'Nothing needs them. Exclude the data of containerd from antivirus, reboot the host so that nothing holds them, then delete them as administrator while no build runs.',
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
    message: 'A process of the step could not be ended: container {container}, {how}.',
    remedy:
      'The agent takes no more work until it is started again. Look at the host first: `ctr -n loam tasks ls`, on Windows `hcsdiag list`; a reboot ends what nothing else does.',
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
    remedy: 'Give the agent credentials for this registry in its registries.json, or use a public image.',
  },
  'backend.registry-unreachable': {
    status: 502,
    message: 'The registry {host} could not be reached: {reason}.',
    remedy:
      "Check the agent's network, set up a mirror or plain HTTP in its registries.json, or bring the image in with `loam-agent image import FILE`.",
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
    remedy:
      'Use (network host) or no network, or install containernetworking-plugins, iptables and iproute2 on the agent.',
  },
  'backend.unix-user': {
    status: 422,
    message: 'A step on Windows cannot run as {user}: Windows knows users by name.',
    remedy: 'Write (user (name ContainerAdministrator)), (user (name ContainerUser)) or a user of the image.',
  },
  'backend.names-unsupported': {
    status: 422,
    message: 'Windows cannot keep these names: {names}.',
    remedy: 'Rename the files, or exclude them from the copy.',
  },
  'backend.command-unsupported': {
    status: 422,
    message: 'The command cannot be given to its shell: {reason}.',
    remedy: 'Join the lines with &&, put them into a script file, or use another shell with (shell …).',
  },
  'backend.workdir-missing': {
    status: 422,
    message: 'The working directory of the step is not there, and could not be made.',
    remedy: 'Check that no file is in its place and that the drive exists in the container.',
  },
  'backend.tar-missing': {
    status: 422,
    message: 'The image has no tar.exe, which the agent needs to look into it.',
    remedy: 'Use a base image of Windows Server 2019 or newer; its system directory has tar.exe.',
  },
  'backend.tree-unreadable': {
    status: 500,
    message: 'The files of a step could not be read: {reason}.',
    remedy: 'Run the build again; if it stays, the log of the agent has the full text.',
  },
  'backend.os-mismatch': {
    status: 422,
    message: 'The image is made for {image} and does not run on {host}.',
    remedy: 'Use a tag that the host runs, a pool that allows Hyper-V isolation, or another pool.',
  },
  'backend.isolation-refused': {
    status: 422,
    message: 'The build asks for the isolation "{isolation}", and the agent is set to "{policy}".',
    remedy: 'Leave the isolation out, use another pool, or run the agent with --isolation process-or-hyperv.',
  },
  'backend.hyperv-missing': {
    status: 503,
    message: 'The agent is set to Hyper-V isolation, but Hyper-V is not available on it.',
    remedy:
      'Enable the feature Microsoft-Hyper-V (nested virtualisation in a virtual machine), or use process isolation.',
  },
  'backend.layer-blocked': {
    status: 503,
    message: 'Windows could not attach the disk of the step: something on the host holds or blocks it.',
    remedy:
      'Exclude the data of containerd from antivirus; look for third-party filter drivers with `fltmc`, and for leaked containers with `hcsdiag list`.',
  },
  'backend.host-overloaded': {
    status: 503,
    message: 'Windows did not start the container in time.',
    remedy:
      'Let the agent run fewer steps at once, exclude the data of containerd from antivirus, or raise HCSSHIM_TIMEOUT_* of the service.',
  },
  'backend.task-lost': {
    status: 503,
    message: 'Windows lost the container of the step: {reason}.',
    remedy: 'Run the build again; if it stays, give the step more memory and look into the event log of the host.',
  },
  'backend.mount-unsupported': {
    status: 503,
    message: 'Windows could not mount a cache or secret into the container.',
    remedy: 'Keep the state directory of the agent on a local NTFS volume.',
  },
  'backend.cni-failed': {
    status: 503,
    message: 'The network of the container could not be set up or taken down.',
    remedy:
      'The log of the agent has the words of the CNI plugin. On Linux check that iptables and the bridge module are there, on Windows that the configuration fits the NAT network of the host.',
  },
  'backend.cni-conf-invalid': {
    status: 503,
    message: 'The CNI configuration {file} cannot be used: {reason}.',
    remedy: 'Mend it, or remove it: on Windows the agent then makes one from the NAT network of the host.',
  },
  'backend.hcn-unavailable': {
    status: 503,
    message: 'The agent cannot reach the Host Network Service.',
    remedy: 'Needs Windows Server 2019 or newer with the feature Containers, and the service hns running.',
  },
  'backend.hcn-unhealthy': {
    status: 503,
    message: 'The Host Network Service does not work properly: {reason}.',
    remedy: 'Run `Restart-Service hns` on the host when no container runs.',
  },
  'backend.hcn-conflict': {
    status: 503,
    message: 'The NAT network for containers clashes with another one: {reason}.',
    remedy: 'A host has one NAT network: let the agent use the one that is there, or remove it.',
  },
  'backend.hcn-attach-failed': {
    status: 503,
    message: 'The container could not be connected to its network: {reason}.',
    remedy: 'Run the build again; if it stays, run `Restart-Service hns` on the host.',
  },
  'backend.hcn-refused': {
    status: 500,
    message: 'The Host Network Service refused a request: {reason}.',
    remedy: "Report it with the agent's log; check the subnet that the agent is set up with.",
  },
  'backend.host-command-failed': {
    status: 500,
    message: 'The host could not run {program}: {reason}.',
    remedy: 'The agent’s log has what the program said. The agent needs the rights of LocalSystem or an administrator.',
  },
  'backend.state-locked': {
    status: 409,
    message: 'Another process (pid {pid}) uses the state directory {directory}.',
    remedy: 'Stop the other agent, or give this one a state directory of its own.',
  },
});
