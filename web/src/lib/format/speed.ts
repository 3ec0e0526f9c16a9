const WINDOW_S = 5;

/** Bytes a second over the last few seconds: steady enough to read, quick enough to be true. */
export class SpeedMeter {
	#marks: { bytes: number; at_s: number }[] = [];

	mark(total_bytes: number, at_s: number): number {
		this.#marks.push({ bytes: total_bytes, at_s });
		while (this.#marks.length > 2 && at_s - (this.#marks[1]?.at_s ?? at_s) >= WINDOW_S) this.#marks.shift();
		const first = this.#marks[0];
		if (!first || at_s - first.at_s < 0.5) return 0;
		return Math.max(0, (total_bytes - first.bytes) / (at_s - first.at_s));
	}
}
