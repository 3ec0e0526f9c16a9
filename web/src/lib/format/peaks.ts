/** A waveform: `at(i)` is the loudest of point i, 0..1; `points_per_s` of them make a second. */
export interface Peaks {
	points_per_s: number;
	length: number;
	at: (index: number) => number;
}

const HEADER_BYTES = 24;
const EIGHT_BIT = 1;

/** Reads audiowaveform's binary format, version 1 or 2, 8-bit; null when it is something else. */
export function readPeaks(buffer: ArrayBuffer): Peaks | null {
	if (buffer.byteLength < HEADER_BYTES) return null;
	const view = new DataView(buffer);
	const version = view.getInt32(0, true);
	if ((version !== 1 && version !== 2) || view.getUint32(4, true) !== EIGHT_BIT) return null;
	const channels = version === 2 ? view.getInt32(20, true) : 1;
	const values = new Int8Array(buffer, version === 2 ? HEADER_BYTES : HEADER_BYTES - 4);
	const length = Math.min(view.getUint32(16, true), Math.floor(values.length / (2 * channels)));
	return {
		points_per_s: view.getInt32(8, true) / view.getInt32(12, true),
		length,
		at: (index) => Math.max(Math.abs(values[index * 2 * channels] ?? 0), Math.abs(values[index * 2 * channels + 1] ?? 0)) / 128
	};
}

/** The waveform in `columns` bars between two times, 0..1 each, against the loudest of all. */
export function bars(peaks: Peaks, columns: number, duration_s: number): number[] {
	const perColumn = (duration_s * peaks.points_per_s) / columns;
	const found = Array.from({ length: columns }, (_, column) => {
		const from = Math.floor(column * perColumn);
		const to = Math.min(peaks.length, Math.max(from + 1, Math.floor((column + 1) * perColumn)));
		let loudest = 0;
		for (let i = from; i < to; i += 1) loudest = Math.max(loudest, peaks.at(i));
		return loudest;
	});
	const top = Math.max(...found, 0.01);
	return found.map((bar) => bar / top);
}
