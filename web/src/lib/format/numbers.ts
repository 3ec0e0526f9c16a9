const GIB = 1 << 30;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `1.4 GB`; decimal units, as file managers show them. A round number of GiB (a limit) is said as people say it: `2 GB`. */
export function bytes(count: number): string {
	if (count > 0 && count % GIB === 0) return `${count / GIB} GB`;
	let value = count;
	let unit = 0;
	while (value >= 999.5 && unit < UNITS.length - 1) {
		value /= 1000;
		unit += 1;
	}
	return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1)} ${UNITS[unit]}`;
}

export function percent(fraction: number): string {
	return `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)} %`;
}

export function count(number: number, singular: string, plural = `${singular}s`): string {
	return `${new Intl.NumberFormat('en').format(number)} ${number === 1 ? singular : plural}`;
}

export function money(usd: number): string {
	return usd < 0.01 && usd > 0 ? 'under $0.01' : `$${usd.toFixed(2)}`;
}
