/**
 * The raw protocol, for a server that speaks it in tests. Everything else uses the typed client of `@loam/containerd`.
 * Messages of one file share a namespace here, because containerd uses the same names in several packages.
 */
export * as containersProto from './gen/services/containers_pb.ts';
export * as contentProto from './gen/services/content_pb.ts';
export * as diffProto from './gen/services/diff_pb.ts';
export * as eventPayloadsProto from './gen/events/events_pb.ts';
export * as eventsProto from './gen/services/events_pb.ts';
export * as imagesProto from './gen/services/images_pb.ts';
export * as introspectionProto from './gen/services/introspection_pb.ts';
export * as leasesProto from './gen/services/leases_pb.ts';
export * as namespacesProto from './gen/services/namespaces_pb.ts';
export * as runcProto from './gen/runtimes/runc_pb.ts';
export * as runhcsProto from './gen/runtimes/runhcs_pb.ts';
export * as runhcsStatsProto from './gen/metrics/runhcs-stats_pb.ts';
export * as snapshotsProto from './gen/services/snapshots_pb.ts';
export * as tasksProto from './gen/services/tasks_pb.ts';
export * as taskTypesProto from './gen/types/task_pb.ts';
export * as typesProto from './gen/types/types_pb.ts';
export * as versionProto from './gen/services/version_pb.ts';
