# Everything a person or CI does with this folder. It needs Python 3.13 or newer and make, and installs into .venv only.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
ARGS ?=

# Whatever the stamps say, set up again when the interpreter behind .venv has gone: an upgrade leaves a dangling link.
no_venv := $(shell test -x $(BIN)/python || echo no_venv)

# Tests and checks start a hundred processes, and each would compile everything anew where nothing compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test long bench bench-peers artefact picture sam fmt lock clean no_venv

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=/path/to/python3.13 chooses the interpreter; ARGS="..." is handed on to demo, test, long and bench.'

demo: $(VENV)/demo.stamp ## The example network on an embedded emulator: broken, put right, shown (no AWS account needed)
	@$(BIN)/setpoint demo $(ARGS)

test: $(VENV)/dev.stamp ## The gate: format, lint, types, layers, dependencies, template, tests (BROWSER=none: without those)
	@$(in_ci_always)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(beside_types)
	@$(tests)

# Where there is no browser, its tests are left out, and the last line says so. In CI they always run: that they cannot is said
# at once, and not after minutes. Only the word `none` counts: many desktops have BROWSER in their environment for other ends.
PYTEST = $(BIN)/pytest -n 2 --dist worksteal
browser = $(if $(filter none,$(BROWSER)),false,$(BIN)/python -m tests.support.chromium)
in_ci_always = case "$$CI" in ''|false) ;; *) $(browser) || { echo 'In CI the browser tests always run.' >&2; exit 1; };; esac
define tests
if $(browser); then set -x; $(PYTEST) $(ARGS); else \
set -x; $(PYTEST) -m 'not long and not browser' $(ARGS) && { set +x; } 2>/dev/null && \
echo 'NOT RUN: the browser tests (they need Chromium: install the package chromium)'; fi
endef

# mypy takes one core for half a minute, so the others run beside it; each is shown, and each must succeed. Its own workers
# (--num-workers) would use both, but on a busy machine it gives up on them before they have started.
define beside_types
set -x; $(BIN)/mypy --strict & \
{ $(BIN)/lint-imports --no-logo && $(BIN)/deptry --no-ansi . && $(BIN)/cfn-lint template.yaml templates/*.yaml; } && others=0 || others=1; \
wait $$! && exit $$others
endef

long: $(VENV)/dev.stamp ## The long suites: more random examples, every crash point
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -n 2 --dist worksteal -m long --timeout 1800 $(ARGS)

bench: $(VENV)/dev.stamp ## Each figure beside its baseline from the same run
	@$(BIN)/python -m bench $(ARGS)

# Where Cloud Custodian cannot be installed, its rows say so.
bench-peers: $(VENV)/dev.stamp ## A calm plan beside Cloud Custodian, and beside Terraform where it is found
	@-$(MAKE) --no-print-directory .venv-peers/peers.stamp
	@$(BIN)/python -m bench.peers

# The template has the same architecture. SETPOINT_STOCK_BOTOCORE=1 leaves botocore's models and certificates as they come.
ARCHITECTURE ?= arm64
ASSEMBLE = $(BIN)/python -m artefact --architecture $(ARCHITECTURE) $(if $(SETPOINT_STOCK_BOTOCORE),--stock)

artefact: $(VENV)/demo.stamp ## What Lambda runs, as build/setpoint.zip (ARCHITECTURE=arm64 or x86_64)
	@$(ASSEMBLE)

picture: $(VENV)/dev.stamp ## The README's picture again, out of the page of the demo (needs Chromium)
	@mkdir -p build
	@$(BIN)/setpoint demo --page build/page.html >build/demo.txt || { cat build/demo.txt; exit 1; }
	@$(BIN)/python -m tests.browser.picture build/page.html docs/page.png

# What `sam build` starts for each function. They are one artefact, assembled once when `sam build` works in this folder
# (build_in_source) or finds what `make artefact` has left in build/.
.PHONY: build-SweepFunction build-WorkerFunction build-InvokeFunction build-PlanFunction
build-SweepFunction build-WorkerFunction build-InvokeFunction build-PlanFunction: $(VENV)/demo.stamp
	@$(ASSEMBLE) --into '$(ARTIFACTS_DIR)'

SAM = AWS_DEFAULT_REGION=eu-west-1 SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam

sam: $(VENV)/demo.stamp .venv-sam/sam.stamp ## What SAM says: validate, build, and the stack on an emulated CloudFormation
	$(SAM) validate --lint
	$(SAM) build --build-in-source
	.venv-sam/bin/python -m pytest -c /dev/null --rootdir=. --confcutdir=tests/deploy --import-mode=importlib -o pythonpath=. \
		-p no:cacheprovider tests/deploy $(ARGS)

fmt: $(VENV)/dev.stamp ## Format, and mend what ruff can mend
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

# Warnings of pip are hidden (-qq), its errors are not. Of eight thousand development modules most are never imported: each is
# compiled, and kept, when it is. A stamp stands for a finished install: after an interrupted one, again.
$(VENV)/demo.stamp: requirements-demo.txt $(no_venv)
	@$(make_venv)
	@echo 'Installing what the demo needs into $(VENV) (the first time takes a while) ...'
	@$(PIP) install -qq --require-hashes -r requirements-demo.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(no_venv)
	@$(make_venv)
	@echo 'Installing the development tools into $(VENV) (the first time takes a minute or two) ...'
	@$(PIP) install -qq --no-compile --require-hashes -r requirements-dev.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $(VENV)/demo.stamp $@

.venv-sam/sam.stamp: requirements-sam.txt
	@$(subst $(VENV),.venv-sam,$(make_venv))
	@echo 'Installing SAM and an emulated CloudFormation into .venv-sam (the first time takes a minute or two) ...'
	@.venv-sam/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-sam.txt
	@touch $@

.venv-peers/peers.stamp: requirements-peers.txt
	@$(subst $(VENV),.venv-peers,$(make_venv))
	@echo 'Installing Cloud Custodian into .venv-peers (the first time takes a minute) ...'
	@.venv-peers/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-peers.txt
	@touch $@

# An interpreter counts when it runs, is new enough, and can make an environment: a pyenv shim may do none of these, and
# Debian ships ensurepip apart. 3.13 comes first because Lambda runs it.
usable = -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 13))'
define make_venv
if $(BIN)/python $(usable) >/dev/null 2>&1 && $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
for python in $(if $(PYTHON),"$(PYTHON)",python3.13 "$$HOME"/.pyenv/versions/3.13*/bin/python3.13 python3 python python3.14); do \
	if "$$python" $(usable) >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$python" -c 'import sys; print(sys.executable, sys.version.split()[0])') ..."; \
		"$$python" -m venv --clear $(VENV) && exit 0; \
		rm -rf $(VENV); exit 1; \
	fi; \
done; \
{ echo 'Setpoint needs Python 3.13 or newer with its venv module, and found none$(if $(PYTHON), at PYTHON=$(PYTHON)).'; \
  echo 'Install it (Debian, Ubuntu: python3.13 and python3.13-venv; macOS: brew install python@3.13; pyenv install 3.13),'; \
  echo 'or name one you have: make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3.13'; } >&2; exit 1
endef

# --universal and all hashes: one lock for every platform. The two smaller locks are constrained by the large one, so that
# what is tested is what ships. Pins stay where they are unless LOCK=--upgrade.
LOCK ?=
COMPILE = UV_CUSTOM_COMPILE_COMMAND='make lock' .venv-lock/bin/uv pip compile pyproject.toml --quiet --no-config --universal \
	--python-version 3.13 --generate-hashes --no-emit-index-url --no-emit-find-links

lock: ## Resolve the dependencies of pyproject.toml into the locks again (LOCK=--upgrade: newest versions)
	@$(subst $(VENV),.venv-lock,$(make_venv))
	@.venv-lock/bin/python -m pip install -qq --disable-pip-version-check 'uv>=0.13,<0.14'
	$(COMPILE) $(LOCK) --extra cli --extra demo --group dev -o requirements-dev.txt
	$(COMPILE) --extra cli --extra demo --group build -c requirements-dev.txt -o requirements-demo.txt
	$(COMPILE) -c requirements-dev.txt -o requirements.txt
	$(subst pyproject.toml,--group sam,$(COMPILE)) $(LOCK) -o requirements-sam.txt
	$(subst pyproject.toml,--group peers,$(COMPILE)) $(LOCK) -o requirements-peers.txt

clean: ## Remove the environments, caches and build results
	rm -rf $(VENV) .venv-lock .venv-sam .venv-peers build dist *.egg-info .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
