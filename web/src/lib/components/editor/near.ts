import type { Attachment } from 'svelte/attachments';

const MARGIN = '800px 0px'; // about a screen above and below what is seen
const waiting = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | undefined;

/** Runs once, when the element comes near the visible part of the page: thousands of lines are drawn only as they are reached. */
export function whenNear(run: () => void): Attachment<Element> {
	return (element) => {
		observer ??= new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => bringNear(e.target)), { rootMargin: MARGIN });
		waiting.set(element, run);
		observer.observe(element);
		return () => observer?.unobserve(element);
	};
}

/** The same at once, for an element that is about to be needed. */
export function bringNear(element: Element): void {
	observer?.unobserve(element);
	waiting.get(element)?.();
	waiting.delete(element);
}
