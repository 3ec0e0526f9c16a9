// Before the first paint, so that nobody is blinded: the theme the person chose, else the system's.
(function () {
	var chosen = null;
	try {
		chosen = localStorage.getItem('autodubber.theme');
	} catch (e) {
		chosen = null; // storage is switched off: follow the system
	}
	if (chosen !== 'light' && chosen !== 'dark') {
		chosen = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
	}
	document.documentElement.setAttribute('data-theme', chosen);
})();
