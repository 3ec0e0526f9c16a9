// Control characters, line separators, and what turns the direction of the text behind it: "exe.4pm" behind U+202E looks like "mp4.exe".
const ODD = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A file's name as it is shown: what would act on the text around it is left out, as the server does it. */
export function shownName(name: string): string {
	return name.replace(ODD, '');
}
