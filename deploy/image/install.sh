#!/bin/sh
# Installs the locked packages into a virtual environment that has no pip: `install.sh ENVIRONMENT LOCK TORCH-INDEX`.
set -eu
environment=$1 lock=$2 torch_index=$3
python=$environment/bin/python

install() { python -m pip --python "$python" install --no-compile "$@"; }
locked() { grep -oE "^$1==[^ ]+" "$lock"; }

install --no-deps "$(locked setuptools)"
case $torch_index in
  */cpu) install --no-deps --retries 0 --timeout 15 --extra-index-url "$torch_index" "$(locked torch)" ;;
  *) install --extra-index-url "$torch_index" "$(locked torch)" ;; # with CUDA's libraries
esac
install --no-deps --no-build-isolation --requirement "$lock"
"$python" -B -c 'import torch' || {
  echo "NOTE: the index $torch_index could not be reached; the ordinary index's torch needs more libraries, which are fetched"
  install "$(locked torch)"
}
