#!/bin/sh
# Takes out of the image's packages what AutoDubber never uses: `shrink.sh SITE-PACKAGES`. smoke.py runs afterwards and proves that the rest works.
# Everything that is removed stands here, once, with its reason. Megabytes are those of the wheels of x86-64.
set -eu
cd "$1"

# gone REASON PATH...
gone() {
  shift
  for path in "$@"; do
    if [ -e "$path" ]; then rm -rf "$path"; else echo "shrink: not here: $path"; fi
  done
}

gone "121 MB: torch's own tests and test programs"           torch/test torch/bin/*Test torch/bin/test_* torch/lib/*_test.so
gone "50 MB: for compiling C++ against torch"                torch/include torch/share/cmake torch/bin/protoc*
gone "15 MB: torch.compile and its parts, imported by it"    torch/_inductor torch/_dynamo
gone "36 MB: symbolic shapes, for torch.compile and export"  sympy sympy-*.dist-info mpmath mpmath-*.dist-info networkx networkx-*.dist-info
gone "2 MB: generates torch's sources"                       torchgen/packaged
gone "35 MB: ONNX Runtime for C programs; Python has its own" onnxruntime/capi/libonnxruntime.so.*
gone "4 MB: ONNX tools to convert models"                    onnxruntime/transformers onnxruntime/quantization onnxruntime/tools
gone "23 MB: parts of SciPy that its linear program does not load" \
  scipy/stats scipy/io scipy/signal scipy/interpolate scipy/integrate scipy/ndimage scipy/cluster scipy/fftpack scipy/odr scipy/datasets
gone "10 MB: invented examples for Litestar's OpenAPI pages, which are switched off" faker faker-*.dist-info polyfactory polyfactory-*.dist-info
gone "1 MB: how NumPy was built before"                       numpy/distutils
gone "3 MB: built openai-whisper, which comes as source"     setuptools setuptools-*.dist-info _distutils_hack distutils-precedence.pth

# yt-dlp is used by the downloader's process alone, which reads it from an archive: app/links/packages.py finds it.
python -m zipfile -c yt-dlp.zip yt_dlp yt_dlp_ejs
gone "10 MB: yt-dlp, of which the archive has 3"             yt_dlp yt_dlp_ejs

# Tests, type stubs, headers, Cython's and C's sources and static libraries that lie in packages.
find . -type d \( -name tests -o -name test \) -not -path '*/dist-info/*' -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' \) -delete

# Symbols that only a debugger reads: 197 MB, of which torch has 98 and CTranslate2 67. Not the libraries in *.libs: auditwheel has changed their headers.
for library in torch/lib/libtorch_cpu.so torch/lib/libtorch_python.so torch/lib/libc10.so obstore/_obstore.abi3.so \
  cryptography/hazmat/bindings/_rust.abi3.so av/video/frame.abi3.so yaml/_yaml.*.so sqlalchemy/cyextension/*.so regex/_regex.*.so tiktoken/_tiktoken.*.so \
  scipy/optimize/_highspy/_core.*.so ctranslate2/_ext.*.so; do
  if [ -f "$library" ]; then strip --strip-unneeded "$library"; else echo "shrink: not here: $library"; fi
done
