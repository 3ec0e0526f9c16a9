import { getEngines, getSettings, getStages, getVoices, deleteKey, putKey } from '$lib/api/system';
import { asApiError, type ApiError } from '$lib/api/problems';
import type { EngineInfo, ServerSettings, StageInfo, VoiceInfo } from '$lib/api/types';

/** What the server can do and how it is set: limits, defaults, stages, engines, voices, whether a key is stored. */
export class ServerStore {
	#settings = $state.raw<ServerSettings | null>(null);
	#stages = $state.raw<StageInfo[]>([]);
	#engines = $state.raw<EngineInfo[]>([]);
	#voices = $state.raw<VoiceInfo[]>([]);
	#error = $state.raw<ApiError | null>(null);
	#loading: Promise<void> | null = null;

	readonly recognizers = $derived(this.#engines.filter((e) => e.kind === 'recognizer'));
	readonly translators = $derived(this.#engines.filter((e) => e.kind === 'translator'));
	readonly separator = $derived(this.#engines.find((e) => e.kind === 'separator')?.models[0] ?? null);
	/** A service that takes the old voice out, where there is a key for it. */
	readonly separationService = $derived(this.#engines.find((e) => e.kind === 'separator' && e.needs_key && e.availability.available) ?? null);
	/** The old voice can be taken out without a download. */
	readonly canSeparate = $derived(this.#engines.some((e) => e.kind === 'separator' && e.availability.available && e.models.some((m) => m.ready)));
	readonly voiceEngines = $derived(this.#engines.filter((e) => e.kind === 'voice'));

	get settings(): ServerSettings | null {
		return this.#settings;
	}
	/** What a job goes through; empty until the server has said. */
	get stages(): readonly StageInfo[] {
		return this.#stages;
	}
	get engines(): readonly EngineInfo[] {
		return this.#engines;
	}
	get voices(): readonly VoiceInfo[] {
		return this.#voices;
	}
	get error(): ApiError | null {
		return this.#error;
	}

	/** Asks the server once; again after a failure. */
	load(): Promise<void> {
		this.#loading ??= this.refresh();
		return this.#loading;
	}

	async refresh(): Promise<void> {
		this.#error = null;
		try {
			[this.#settings, this.#stages, this.#engines] = await Promise.all([getSettings(), getStages(), getEngines()]);
			this.#voices = await getVoices();
		} catch (thrown) {
			this.#error = asApiError(thrown);
			this.#loading = null;
		}
	}

	async storeKey(engine: string, key: string): Promise<void> {
		const status = await putKey(engine, key);
		if (this.#settings) this.#settings = { ...this.#settings, keys: { ...this.#settings.keys, [engine]: status } };
		await this.refresh();
	}

	async forgetKey(engine: string): Promise<void> {
		await deleteKey(engine);
		await this.refresh();
	}

	/** How a person calls a voice: `espeak:en-gb` becomes "English (Great Britain)". */
	voiceName(voice: string): string {
		const found = this.#voices.find((v) => `${v.engine}:${v.id}` === voice);
		return found?.name ?? voice;
	}
}

export const server = new ServerStore();
