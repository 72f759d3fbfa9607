export { baseLayer, layerTar, type BaseLayerOptions, type LayerEntry } from './base-layer.ts';
export { ContainerdModel, type ContainerdModelOptions } from './model.ts';
export type { Fault } from './faults.ts';
export type { StandIn, StandInCall, StandIns } from './programs/other-programs.ts';
export { CommitLimitError, type Program, type ProgramContext } from './programs/program.ts';
export { recordedRuns, type RecordedRun } from './recorded-runs.ts';
export { runProgram } from './programs/run-program.ts';
export { buildFile, usersFile } from './runtime/host.ts';
export { brokenRules } from './ten-rules.ts';
