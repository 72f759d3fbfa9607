import { LoamError } from '@loam/base';

import { HcnFailure } from './hcn-api.ts';

type HcnCode = 'backend.hcn-unhealthy' | 'backend.hcn-conflict' | 'backend.hcn-attach-failed' | 'backend.hcn-refused';

/** HRESULTs of the service, their names, and what they mean to us (reference §6.2, §6.4, §10 #26–#28). */
const known: ReadonlyMap<number, readonly [name: string, code: HcnCode]> = new Map([
  [0x803b0001, ['NETWORK_NOT_FOUND', 'backend.hcn-unhealthy']],
  [0x803b0002, ['ENDPOINT_NOT_FOUND', 'backend.hcn-attach-failed']],
  [0x80070490, ['ELEMENT_NOT_FOUND', 'backend.hcn-unhealthy']],
  [0x490, ['ELEMENT_NOT_FOUND', 'backend.hcn-unhealthy']],
  [0x803b0005, ['SUBNET_NOT_FOUND', 'backend.hcn-refused']],
  [0x803b0006, ['ADAPTER_NOT_FOUND', 'backend.hcn-refused']],
  [0x803b0007, ['PORT_NOT_FOUND', 'backend.hcn-refused']],
  [0x803b0008, ['POLICY_NOT_FOUND', 'backend.hcn-refused']],
  [0x803b0010, ['NETWORK_ALREADY_EXISTS', 'backend.hcn-conflict']],
  [0x803b0012, ['POLICY_ALREADY_EXISTS', 'backend.hcn-conflict']],
  [0x803b0013, ['PORT_ALREADY_EXISTS', 'backend.hcn-conflict']],
  [0x803b0014, ['ENDPOINT_ALREADY_ATTACHED', 'backend.hcn-attach-failed']],
  [0x803b0015, ['REQUEST_UNSUPPORTED', 'backend.hcn-refused']],
  [0x803b0017, ['DEGRADED_OPERATION', 'backend.hcn-unhealthy']],
  [0x803b001b, ['INVALID_JSON', 'backend.hcn-refused']],
  [0x803b001e, ['INVALID_IP', 'backend.hcn-refused']],
  [0x803b002b, ['ENDPOINT_NAMESPACE_ALREADY_EXISTS', 'backend.hcn-attach-failed']],
  [0x803b002c, ['ENTITY_HAS_REFERENCES', 'backend.hcn-attach-failed']],
  [0x803b002e, ['NAMESPACE_ATTACH_FAILED', 'backend.hcn-attach-failed']],
  [0x803b002f, ['ADDR_INVALID_OR_RESERVED', 'backend.hcn-conflict']],
  [0x80071392, ['OBJECT_ALREADY_EXISTS', 'backend.hcn-conflict']],
  [0x1392, ['OBJECT_ALREADY_EXISTS', 'backend.hcn-conflict']],
]);

const goneCodes: ReadonlySet<number> = new Set([0x803b0001, 0x803b0002, 0x80070490, 0x490]);
const existsCodes: ReadonlySet<number> = new Set([0x803b0010, 0x80071392, 0x1392]);

/** Whether what was to be deleted or looked at is not there. */
export function isGone(error: unknown): boolean {
  return error instanceof HcnFailure && goneCodes.has(error.hresult);
}

export function alreadyExists(error: unknown): boolean {
  return error instanceof HcnFailure && existsCodes.has(error.hresult);
}

/** A refusal as an error of ours; anything else stays as it is. */
export function explainHcnFailure(error: unknown): unknown {
  if (!(error instanceof HcnFailure)) return error;
  const [name, code] = known.get(error.hresult) ?? ['unknown reason', 'backend.hcn-refused' as const];
  const reason = `${name} (0x${error.hresult.toString(16).toUpperCase().padStart(8, '0')}) from ${error.call}`;
  return LoamError.of(code, { reason }, { cause: error, internal: error.message });
}
