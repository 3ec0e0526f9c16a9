import { asApiError } from '$lib/api/problems';
import { previewSegment } from '$lib/api/segments';

const STEP_S = 0.04;

export type Take = 'original' | 'dub';

/** Two takes of one video at one position: one is shown and may play, the other waits where the first is. */
export class PlayerStore {
	#take = $state<Take>('original');
	#time_s = $state(0);
	#playing = $state(false);
	#previewing = $state<string | null>(null);
	#media: Partial<Record<Take, HTMLMediaElement>> = {};
	#sound: HTMLAudioElement | null = null;
	#asking: AbortController | null = null;
	captions = $state(true);

	get take(): Take {
		return this.#take;
	}
	get time_s(): number {
		return this.#time_s;
	}
	get playing(): boolean {
		return this.#playing;
	}
	/** The line that is being fetched or heard as a preview. */
	get previewing(): string | null {
		return this.#previewing;
	}

	/** Makes an element the player of a take; returns how to let go of it. */
	attach(take: Take, media: HTMLMediaElement): () => void {
		this.#media[take] = media;
		const here = () => take === this.#take;
		const listeners: [string, () => void][] = [
			['timeupdate', () => here() && (this.#time_s = media.currentTime)],
			['seeking', () => here() && (this.#time_s = media.currentTime)],
			['play', () => here() && this.#played()],
			['pause', () => here() && (this.#playing = false)]
		];
		for (const [name, listener] of listeners) media.addEventListener(name, listener);
		media.addEventListener('loadedmetadata', () => this.#time_s > 0 && (media.currentTime = this.#time_s), { once: true });
		return () => {
			for (const [name, listener] of listeners) media.removeEventListener(name, listener);
			if (this.#media[take] === media) delete this.#media[take];
			if (here()) this.#playing = false;
		};
	}

	/** Shows the other take at the same position, playing on if it played. */
	async choose(take: Take): Promise<void> {
		if (take === this.#take) return;
		const [from, to] = [this.#media[this.#take], this.#media[take]];
		const wasPlaying = this.#playing;
		if (from) {
			this.#time_s = from.currentTime;
			from.pause();
		}
		this.#take = take;
		this.#playing = false;
		if (!to) return;
		to.currentTime = this.#time_s;
		if (from) [to.volume, to.muted, to.playbackRate] = [from.volume, from.muted, from.playbackRate];
		if (wasPlaying) await to.play();
	}

	async toggle(): Promise<void> {
		const media = this.#media[this.#take];
		if (!media) return;
		if (media.paused) await media.play();
		else media.pause();
	}

	seek(time_s: number): void {
		this.#time_s = Math.max(0, time_s);
		const media = this.#media[this.#take];
		if (media) media.currentTime = this.#time_s;
	}

	async playFrom(time_s: number): Promise<void> {
		this.seek(time_s);
		await this.#media[this.#take]?.play();
	}

	pause(): void {
		this.#media[this.#take]?.pause();
	}

	/** Lets a line be heard as it will be spoken; asked again, it stops. */
	async preview(job_id: string, segment_id: string): Promise<void> {
		const again = this.#previewing === segment_id;
		this.stopPreview();
		if (again) return;
		this.pause();
		this.#previewing = segment_id;
		const asking = (this.#asking = new AbortController());
		try {
			const url = URL.createObjectURL(await previewSegment(job_id, segment_id, asking.signal));
			if (asking.signal.aborted) return URL.revokeObjectURL(url);
			const sound = (this.#sound = new Audio(url));
			sound.onended = sound.onerror = () => this.stopPreview();
			await sound.play();
		} catch (thrown) {
			if (asking.signal.aborted) return;
			this.stopPreview();
			throw asApiError(thrown);
		}
	}

	stopPreview(): void {
		this.#asking?.abort();
		this.#asking = null;
		if (this.#sound) {
			this.#sound.onended = this.#sound.onerror = null;
			this.#sound.pause();
			URL.revokeObjectURL(this.#sound.src);
			this.#sound = null;
		}
		this.#previewing = null;
	}

	#played(): void {
		this.stopPreview();
		if (this.#playing) return;
		this.#playing = true;
		requestAnimationFrame(this.#follow);
	}

	/** The position while it plays, more often than the browser tells it. */
	#follow = (): void => {
		if (!this.#playing) return;
		const now_s = this.#media[this.#take]?.currentTime ?? this.#time_s;
		if (Math.abs(now_s - this.#time_s) >= STEP_S) this.#time_s = now_s;
		requestAnimationFrame(this.#follow);
	};
}
