import { client, unwrap } from './client';
import type { EngineInfo, HealthReport, KeyStatus, ServerSettings, StageInfo, VoiceChosen, VoiceInfo } from './types';

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
