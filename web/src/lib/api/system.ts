import { client, unwrap } from './client';
import type { EngineInfo, HealthReport, KeyStatus, ServerSettings, SharedVoices, StageInfo, VoiceChosen, VoiceInfo } from './types';

export async function getHealth(): Promise<HealthReport> {
	return unwrap(await client.GET('/health'));
}

export async function getSettings(): Promise<ServerSettings> {
	return unwrap(await client.GET('/api/settings'));
}

export async function getEngines(): Promise<EngineInfo[]> {
	return unwrap(await client.GET('/api/engines')).engines;
}

export async function getStages(): Promise<StageInfo[]> {
	return unwrap(await client.GET('/api/stages')).stages;
}

export async function getVoices(): Promise<VoiceInfo[]> {
	return unwrap(await client.GET('/api/voices')).voices;
}

/** One page of an engine's public library of voices. */
export async function getSharedVoices(query: { engine: string; search: string; page: number; language?: string; gender?: string; age?: string; accent?: string }): Promise<SharedVoices> {
	return unwrap(await client.GET('/api/voices/shared', { params: { query } }));
}

/** Adds a voice of the public library to the account; what it is called then. */
export async function addSharedVoice(body: { engine: string; owner: string; id: string; name: string }): Promise<string> {
	return unwrap(await client.POST('/api/voices/shared', { body })).voice;
}

/** What `local:auto` is for a language, and why. */
export async function getAutoVoice(language: string): Promise<VoiceChosen> {
	return unwrap(await client.GET('/api/voices/auto', { params: { query: { language } } }));
}

export async function putKey(engine: string, key: string): Promise<KeyStatus> {
	return unwrap(await client.PUT('/api/settings/keys/{engine}', { params: { path: { engine } }, body: { key } }));
}

export async function deleteKey(engine: string): Promise<void> {
	unwrap(await client.DELETE('/api/settings/keys/{engine}', { params: { path: { engine } } }));
}
