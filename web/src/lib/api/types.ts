// The server's words, from its OpenAPI document (npm run api).
import type { components, paths } from './schema';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
export type JobSummary = Schemas['JobSummary'];
export type JobState = Schemas['JobState'];
export type JobPatch = Schemas['JobPatch'];
export type JobPage = Schemas['JobPage'];
export type CreateJob = Schemas['CreateJob'];
export type StageInfo = Schemas['StageInfo'];
export type DubOptions = Schemas['DubOptions'];
export type OptionsPatch = Schemas['OptionsPatch'];
export type Segment = Schemas['Segment'];
export type LeftOut = Schemas['LeftOut'];
export type SubtitleReading = Schemas['SubtitleReading'];
export type SubtitlePreview = Schemas['SubtitlePreview'];
export type Segments = Schemas['Segments'];
export type Speaker = Schemas['Speaker'];
export type SpeakerPatch = Schemas['SpeakerPatch'];
export type SegmentChanges = Schemas['SegmentChanges'];
export type SegmentEdit = Schemas['SegmentEdit'];
export type BroughtTranslation = Schemas['BroughtTranslation'];
export type TranslationPreview = Schemas['TranslationPreview'];
export type TranslationApplied = Schemas['TranslationApplied'];
export type TranslationUndone = Schemas['TranslationUndone'];
export type TranslateSegments = Schemas['TranslateSegments'];
export type TranslatedAgain = Schemas['TranslatedAgain'];
export type Estimate = Schemas['Estimate'];
export type Report = Schemas['Report'];
export type LineReport = Schemas['LineReport'];
export type Flag = Schemas['Flag'];
export type AudioFormat = Schemas['AudioFormat'];
export type Container = Schemas['Container'];
export type MediaInfo = Schemas['MediaInfo'];
export type AudioStream = Schemas['AudioStream'];
export type Artifact = Schemas['Artifact'];
export type ArtifactKind = Schemas['ArtifactKind'];
export type EngineInfo = Schemas['EngineInfo'];
export type VoiceChosen = Schemas['VoiceChosen'];
export type VoiceInfo = Schemas['VoiceInfo'];
export type HealthReport = Schemas['HealthReport'];
export type ServerSettings = Schemas['ServerSettings'];
export type KeyStatus = Schemas['KeyStatus'];
export type StorageReport = Schemas['StorageReport'];
export type KindRoom = Schemas['KindRoom'];
export type StorageRule = Schemas['Rule'];
export type LastBackup = Schemas['LastBackup'];
export type CleanReport = Schemas['CleanReport'];
export type Deletion = Schemas['Deletion'];
export type ProblemDetails = Schemas['ProblemDetails'];
export type JobChangedDetails = Schemas['JobChangedDetails'];
export type ChangedField = Schemas['ChangedField'];

type Messages<Path extends '/ws' | '/ws/{job_id}'> = paths[Path]['get']['responses'][101]['content']['application/json'];

export type JobMessage = Messages<'/ws/{job_id}'>;
export type LibraryMessage = Messages<'/ws'>;
