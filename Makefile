# Every recipe can be typed without make. PYTHON names another Python than python3, OFFLINE a folder from `make bundle`.
# With another project's, no Python starts; without bytecode each start takes seconds.
unexport PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE
LINT = .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

lab:  ## everything, with JupyterLab in the browser
	@sh scripts/setup.sh
	@.venv/bin/workshop up --open

demo:  ## 2,500 tasks without a browser, then demo.html
	@sh scripts/setup.sh
	@.venv/bin/workshop demo

test: LEFT_OUT = -m "not nightly"
test:  ## the test suite, with services of its own
test-all:  ## the same, with what is slow and rarely breaks
test test-all:
	@sh scripts/setup.sh chromium libatomic1
	@$(LINT) && .venv/bin/python -m pytest tests/compose \
	    && .venv/bin/python -m pytest tests --ignore tests/compose -n 5 --dist loadfile --no-loadscope-reorder --durations=25 $(LEFT_OUT)

test-fast:  ## lint, types and unit tests, no services
	@sh scripts/setup.sh
	@$(LINT) && .venv/bin/python -m pytest tests/unit -m "not nightly"

pictures:  ## the README's picture, anew from the test that looks at it
	@sh scripts/setup.sh chromium libatomic1
	@.venv/bin/python -m pytest tests/browser/test_lab.py -k buttons && cp .workshop/screenshots/workshop.png notebooks/images

chaos:  ## 10,000 tasks while everything breaks, and what became of each; three to four minutes
	@sh scripts/setup.sh
	@.venv/bin/python -m tests.faults.chaos --tasks 10000 --seed 1

bench:  ## speed beside the design of 2018 and other task queues, into benchmarks/results; twenty minutes
	@sh scripts/setup.sh
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --group bench
	@.venv/bin/python -m benchmarks && .venv/bin/python -m benchmarks.plot

bench-central:  ## how many tasks and machines a central bears
	@sh scripts/setup.sh
	@.venv/bin/python -m benchmarks.central

bundle:  ## all Python packages in the folder bundle, or BUNDLE, for machines without network
	@sh scripts/bundle.sh

lock:  ## requirements.lock with the newest versions that pyproject.toml allows
	@sh scripts/setup.sh
	@.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --group dev -o requirements.lock pyproject.toml
	@.venv/bin/python -m tests.unit.test_conda

stop:  ## stop all services; what they hold stays
	@sh scripts/setup.sh
	@.venv/bin/python -m backstage down

clean:  ## stop, and remove everything that set-up and services made
	@if [ -x .venv/bin/python ]; then sh scripts/setup.sh && .venv/bin/python -m backstage down --purge; fi
	rm -rf .venv demo.html cards-*.html squares.qgs notebooks/squares.qgs

.PHONY: lab demo test test-all test-fast pictures chaos bench bench-central bundle lock stop clean
