import { bars, type Peaks } from '$lib/format/peaks';
import type { Pace } from '$lib/format/reading';

export interface Span {
	start_s: number;
	end_s: number;
	skip: boolean;
	pace: Pace;
}

/** Where the voice of a line is in the dub. */
export interface Voice {
	start_s: number;
	end_s: number;
	flagged: boolean;
}

interface Scene {
	peaks: Peaks | null;
	duration_s: number;
	time_s: number;
	spans: Span[];
	voices: Voice[];
}

const BAR = 2;
const GAP = 1;
const LANE = 7; // the lines' lane under the waveform; after a render, the voices' under it
let cache: { peaks: Peaks; columns: number; duration_s: number; bars: number[] } | null = null;

function waveform(peaks: Peaks | null, columns: number, duration_s: number): number[] {
	if (!peaks) return new Array<number>(columns).fill(0.04);
	if (cache?.peaks !== peaks || cache.columns !== columns || cache.duration_s !== duration_s) {
		cache = { peaks, columns, duration_s, bars: bars(peaks, columns, duration_s) };
	}
	return cache.bars;
}

/** The waveform, heard part in the accent, with a lane of lines below (after a render a second one, of the voice as it is placed) and the position over all. */
export function drawTimeline(canvas: HTMLCanvasElement, width: number, { peaks, duration_s, time_s, spans, voices }: Scene): void {
	const height = canvas.clientHeight;
	const ratio = window.devicePixelRatio || 1;
	canvas.width = width * ratio;
	canvas.height = height * ratio;
	const pen = canvas.getContext('2d');
	if (!pen) return;
	const style = getComputedStyle(canvas);
	const colour = (name: string) => style.getPropertyValue(`--color-${name}`);
	const x = (at_s: number) => (at_s / duration_s) * width;
	pen.scale(ratio, ratio);

	const lanes = voices.length ? 2 * LANE + 2 : LANE;
	const waves = height - lanes - 5;
	const columns = Math.floor(width / (BAR + GAP));
	waveform(peaks, columns, duration_s).forEach((bar, column) => {
		const left = column * (BAR + GAP);
		const tall = Math.max(2, bar * waves);
		pen.fillStyle = left < x(time_s) ? colour('primary') : colour('base-content');
		pen.globalAlpha = left < x(time_s) ? 1 : 0.28;
		pen.fillRect(left, (waves - tall) / 2, BAR, tall);
	});

	for (const { start_s, end_s, skip, pace } of spans) {
		pen.globalAlpha = skip || voices.length ? 0.3 : 0.9; // what was planned steps back behind what came of it
		pen.fillStyle = skip || voices.length ? colour('base-content') : pace === 'too-fast' ? colour('error') : pace === 'fast' ? colour('warning') : colour('primary');
		pen.fillRect(x(start_s), height - lanes, Math.max(1.5, x(end_s) - x(start_s) - 1), LANE);
	}
	for (const { start_s, end_s, flagged } of voices) {
		pen.globalAlpha = 0.9;
		pen.fillStyle = flagged ? colour('warning') : colour('primary');
		pen.fillRect(x(start_s), height - LANE, Math.max(1.5, x(end_s) - x(start_s) - 1), LANE);
	}

	pen.globalAlpha = 1;
	pen.fillStyle = colour('base-content');
	pen.fillRect(Math.min(width - 2, x(time_s)), 0, 2, height);
}
