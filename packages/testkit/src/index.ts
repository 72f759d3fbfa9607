export { startContainerd, type ContainerdServer } from './containerd-server.ts';
