import type { Estimate } from '$lib/api/types';
import { count, money } from './numbers';

type Item = NonNullable<Estimate['items']>[number];

/** `1,234 credits`; what is said of the parts that cost something, in their own units. */
export function units(items: readonly Item[]): string {
	const sums: Record<string, number> = {};
	for (const { unit, amount } of items) sums[unit] = (sums[unit] ?? 0) + amount;
	return Object.entries(sums)
		.filter(([, amount]) => amount > 0)
		.map(([unit, amount]) => (amount < 10 && unit === 'minute' ? `${amount.toFixed(1)} ${unit}s` : count(Math.ceil(amount), unit)))
		.join(' + ');
}

/** The parts that are paid for. */
export function paid(estimate: Estimate): readonly Item[] {
	return (estimate.items ?? []).filter(({ what, usd, amount }) => what !== 'machine' && amount > 0 && usd !== 0);
}

/** For a button: `about $0.42 · 1,234 credits`; "" where nothing is paid. No sum is made up where a price is not known. */
export function onButton(estimate: Estimate | null): string {
	if (!estimate) return '';
	const items = paid(estimate);
	if (!items.length) return '';
	const usd = items.reduce((all, item) => all + (item.usd ?? 0), 0);
	const sum = usd < 0.01 ? money(usd) : `about ${money(usd)}`;
	return [items.every((item) => item.usd !== null) ? sum : 'price not known', units(items)].filter(Boolean).join(' · ');
}

/** Where the prices are from: `Prices as published on 2026-10.` */
export function published(estimate: Estimate): string {
	const dates = [...new Set(paid(estimate).map((item) => item.published ?? ''))].filter(Boolean).sort();
	return dates.length ? `Prices as published on ${dates.join(' and ')}.` : '';
}

/** `98,766 credits left.`; "" where no service tells it. */
export function left(estimate: Estimate): string {
	const told = paid(estimate).flatMap(({ quota_left, unit }) => (typeof quota_left === 'number' ? [`${count(Math.floor(quota_left), unit)} left.`] : []));
	return [...new Set(told)].join(' ');
}

/** A quota that does not suffice, and a ceiling that will be reached. */
export function warnings(estimate: Estimate): string[] {
	const short = paid(estimate).filter(({ quota_left, amount }) => typeof quota_left === 'number' && quota_left < amount);
	return [
		...short.map(({ engine, quota_left, unit }) => `${engine} has only ${count(Math.floor(quota_left ?? 0), unit)} left.`),
		...(estimate.passes_ceiling ? ['This is more than the ceiling allows: it stops before that is passed.'] : [])
	];
}

/** `$0.10 and 1,234 credits`: what the job has spent. */
export function spentWords({ spent_usd = 0, spent_credits = 0 }: Estimate): string {
	return [spent_usd > 0 && money(spent_usd), spent_credits > 0 && count(Math.ceil(spent_credits), 'credit')].filter(Boolean).join(', ') || 'nothing';
}

/** The ceilings that what is spent and the rest need, a tenth more; only those that there are. */
export function raised(estimate: Estimate): { ceiling_usd?: number; ceiling_credits?: number } {
	const items = paid(estimate);
	const usd = (estimate.spent_usd ?? 0) + (estimate.open_usd ?? 0) + items.reduce((all, item) => all + (item.usd ?? 0), 0);
	const credits = (estimate.spent_credits ?? 0) + (estimate.open_credits ?? 0) + items.filter(({ unit }) => unit === 'credit').reduce((all, item) => all + item.amount, 0);
	return {
		...(typeof estimate.ceiling_usd === 'number' && { ceiling_usd: Math.max(estimate.ceiling_usd, Math.ceil(usd * 110) / 100) }),
		...(typeof estimate.ceiling_credits === 'number' && { ceiling_credits: Math.max(estimate.ceiling_credits, Math.ceil(credits * 1.1)) })
	};
}

/** What a person typed into a field for a ceiling; null for none. */
export function ceiling(text: string): number | null {
	const value = Number(text.trim().replace(',', '.'));
	return text.trim() === '' || !Number.isFinite(value) ? null : Math.min(1e9, Math.max(0, value));
}
