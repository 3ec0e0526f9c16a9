// The server's words, from its OpenAPI document (npm run api).
import type { components, operations } from './schema';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
export type JobState = Schemas['JobState'];
export type JobPatch = Schemas['JobPatch'];
export type JobPage = Schemas['JobPage'];
export type CreateJob = Schemas['CreateJob'];
export type Stage = Schemas['Stage'];
export type DubOptions = Schemas['DubOptions'];
export type OptionsPatch = Schemas['OptionsPatch'];
export type Segment = Schemas['Segment'];
export type Segments = Schemas['Segments'];
export type SegmentChanges = Schemas['SegmentChanges'];
export type SegmentEdit = Schemas['SegmentEdit'];
export type Estimate = Schemas['Estimate'];
export type Artifact = Schemas['Artifact'];
export type ArtifactKind = Schemas['ArtifactKind'];
export type EngineInfo = Schemas['EngineInfo'];
export type VoiceInfo = Schemas['VoiceInfo'];
export type ServerSettings = Schemas['ServerSettings'];
export type KeyStatus = Schemas['KeyStatus'];
export type ProblemDetails = Schemas['ProblemDetails'];

type Messages<Operation extends keyof operations> = operations[Operation]['responses'] extends {
	101: { content: { 'application/json': infer Message } };
}
	? Message
	: never;

export type JobMessage = Messages<'WsJobIdJobEventsOverHttp'>;
export type LibraryMessage = Messages<'WsLibraryEventsOverHttp'>;
