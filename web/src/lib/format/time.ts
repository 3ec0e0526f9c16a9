/** `1:02.5`, `1:02:03`: a position on the timeline. `digits` after the second's point. */
export function clock(time_s: number, digits = 0): string {
	const scale = 10 ** digits;
	const units = Math.round(Math.max(0, time_s) * scale);
	const seconds = (units % (60 * scale)) / scale;
	const minutes = Math.floor(units / (60 * scale)) % 60;
	const hours = Math.floor(units / (3600 * scale));
	const ss = seconds.toFixed(digits).padStart(digits ? 3 + digits : 2, '0');
	return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${ss}` : `${minutes}:${ss}`;
}

/** Seconds from `62.5`, `1:02.5` or `0:01:02,5`; null when it is no time. */
export function parseClock(text: string): number | null {
	const parts = text.trim().replace(',', '.').split(':');
	if (parts.length > 3 || !/^\d+(\.\d*)?$/.test(parts[parts.length - 1] ?? '')) return null;
	if (parts.slice(0, -1).some((part) => !/^\d+$/.test(part))) return null;
	return parts.reduce((total, part) => total * 60 + Number(part), 0);
}

/** `about 40 s`, `about 3 min`, `about 1 h 20 min`: how long something will take. */
export function about(duration_s: number): string {
	if (duration_s < 5) return 'a few seconds';
	if (duration_s < 55) return `about ${Math.round(duration_s / 5) * 5} s`;
	const minutes = Math.max(1, Math.round(duration_s / 60));
	if (minutes < 60) return `about ${minutes} min`;
	return minutes % 60 ? `about ${Math.floor(minutes / 60)} h ${minutes % 60} min` : `about ${minutes / 60} h`;
}

/** `just now`, `5 min ago`, `yesterday`, `12 Mar 2026`, from Unix seconds. */
export function ago(unix_s: number, now_ms = Date.now()): string {
	const passed_s = now_ms / 1000 - unix_s;
	if (passed_s < 60) return 'just now';
	const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
	if (passed_s < 3600) return relative.format(-Math.floor(passed_s / 60), 'minute');
	if (passed_s < 86_400) return relative.format(-Math.floor(passed_s / 3600), 'hour');
	if (passed_s < 7 * 86_400) return relative.format(-Math.floor(passed_s / 86_400), 'day');
	return new Intl.DateTimeFormat('en', { dateStyle: 'medium' }).format(unix_s * 1000);
}
