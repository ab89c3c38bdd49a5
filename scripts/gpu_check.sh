#!/bin/sh
# All that wants a GPU, in less than ten minutes and without the network: OUT=FOLDER scripts/gpu_check.sh
# Leaves JSON of forwards, floors, engines and loops, summaries of tiny runs, and in log.txt all that was printed.
# PYTHON names another Python. SHAPE names another shape than 1b for the inflated model; SHAPE= leaves it out.
# What failed is told on the terminal.
set -u
OUT=${OUT:-gpu_check}
PYTHON=${PYTHON:-.venv/bin/python}
SHAPE=${SHAPE-1b}
mkdir -p "$OUT"
failed=""
exec 3>&2 > "$OUT/log.txt" 2>&1

# step NAME SECONDS COMMAND...: what it prints goes to the log; the others run whatever happens.
step() {
    name=$1 limit=$2
    shift 2
    begun=$(date +%s)
    timeout "$limit" "$@" || failed="$failed $name"
    echo "== $name took $(($(date +%s) - begun)) s"
}

forwards="-m scripts.bench_forward --random --device cuda --dtype bfloat16 --prompt 1024 --gen-length 256"
forwards="$forwards --block-length 32 --nodes 1,2,4,8,16,32"
step llada 150 "$PYTHON" $forwards --model llada --caches prefix,dual --budget 4 --json "$OUT/llada.json"
step llada_compile 130 "$PYTHON" $forwards --model llada --caches dual --growth 256 --budget 3 --compile \
    --json "$OUT/llada_compile.json"
step dream 70 "$PYTHON" $forwards --model dream --caches dual --growth 256 --budget 3 --json "$OUT/dream.json"
step engine 30 "$PYTHON" -m scripts.bench_engine --device cuda --prompts 5
step numerics 40 "$PYTHON" -m scripts.numerics --prompts 5 runtime.device=cuda

# Identity and predicted speedup of whole runs with the trained tiny model, eager and as graphs.
runs=$(mktemp -d)
for numerics in native locked; do
    for engine in eager graph; do
        step "run_${numerics}_$engine" 30 "$PYTHON" run.py decoder=ssd model=llada_tiny task=tiny_math \
            runtime.device=cuda runtime.dtype=bfloat16 runtime.limit=10 "runtime.numerics=$numerics" \
            "runtime.engine=$engine" "results_dir=$runs/$numerics-$engine"
    done
done
# Seconds at a real size, with the decisions of the tiny model.
if [ -n "$SHAPE" ]; then
    step inflate 30 "$PYTHON" -m ssd inflate --from checkpoints/llada_tiny --shape "$SHAPE" --out "$runs/model"
    step run_inflated 30 "$PYTHON" run.py decoder=ssd decoder.builder=best_first decoder.depth=auto model=llada_tiny \
        "model.path=$runs/model" "model.name=llada_$SHAPE" task=tiny_math runtime.device=cuda runtime.dtype=bfloat16 \
        runtime.engine=graph runtime.limit=5 "results_dir=$runs/inflated"
fi
"$PYTHON" - "$runs" "$OUT/runs.json" << 'END'
import json
import sys
from pathlib import Path

found = {file.parent.parent.name: json.loads(file.read_text()) for file in Path(sys.argv[1]).glob("*/*/summary.json")}
Path(sys.argv[2]).write_text(json.dumps(found, indent=1))
END
rm -r "$runs"
[ -z "$failed" ] || { echo "failed or cut off:$failed; see $OUT/log.txt" >&3; exit 1; }
