# Installs the package, runs a flow as its unit says, stops it, upgrades, removes and purges. /host (or $HOST) has the package.
set -eu
HOST=${HOST:-/host}
deb=$(ls "$HOST"/tidemill_*.deb)
for port in $(shuf -i 15000-29999 -n 100); do # one that nobody listens on
  (exec 3<> "/dev/tcp/localhost/$port") 2>/dev/null || break
done
unit=/usr/lib/systemd/system/tidemill@.service
fail() { echo "FAIL: $*"; systemctl status --no-pager tidemill@selftest 2>/dev/null || true; exit 1; }
step() { echo "== $*"; }

if [ -d /run/systemd/system ]; then
  start() { systemctl start tidemill@selftest; }
  stop() { systemctl stop tidemill@selftest && [ "$(systemctl show -p Result --value tidemill@selftest)" = success ]; }
else # as the unit would
  start() {
    install -d -m 700 -o tidemill -g tidemill /var/lib/tidemill/selftest
    cd /var/lib/tidemill/selftest
    setpriv --reuid tidemill --regid tidemill --clear-groups --no-new-privs --bounding-set=-all \
      $(sed -n 's/^ExecStart=//p' $unit | sed 's/%i/selftest/g') & pid=$!
  }
  stop() { kill -TERM $pid && wait $pid; }
fi
await() { # await WHAT COMMAND...
  what=$1; shift
  for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  fail "$what"
}
answers() { tidemill predict /etc/tidemill/selftest.yaml "$HOST/row.json" --url "http://localhost:$port" | grep -q '^prediction true'; }
lines() { [ "$(grep -c '"kind":"prediction"' /var/lib/tidemill/selftest/out.jsonl)" = "$1" ]; }

step install
dpkg --no-triggers -i "$deb"
dpkg -V tidemill | grep -E 'bin/tidemill|tidemill@' && fail "installed files differ from the package's"
tidemill version | grep -q ' v' || fail "no version: $(tidemill version)"
getent passwd tidemill > /dev/null || fail "no user"
systemd-analyze verify --man=no $unit || fail "systemd finds fault with the unit"
bash -n /usr/share/bash-completion/completions/tidemill
zcat /usr/share/man/man1/tidemill.1.gz | grep -q '^.TH TIDEMILL 1' || fail "no manual page"
zcat /usr/share/doc/tidemill/LICENSES-THIRD-PARTY.txt.gz | grep -q 'modernc.org/sqlite' || fail "no licences"
DATABASE_URL=postgres://localhost/shop tidemill check /usr/share/doc/tidemill/examples/flow.yaml > /dev/null

step start
cp "$HOST/rows.csv" /etc/tidemill/selftest.csv
cat > /etc/tidemill/selftest.yaml <<FLOW
name: selftest
source: {file: {path: /etc/tidemill/selftest.csv, follow: true}}
tasks:
  - name: returned
    predict: {on: insert, table: selftest}
    learn: {on: insert, table: selftest, label: returned}
    features: [numeric: [amount]]
    model: logistic
sinks: [file: out.jsonl]
serve: localhost:$port
FLOW
start
await "no answer over HTTP" answers
echo 1001,90, >> /etc/tidemill/selftest.csv
await "a new row is not predicted" lines 1001

step stop
stop || fail "it did not end well"
answers && fail "it still answers"
ls /var/lib/tidemill/selftest/state/selftest/current/checkpoint-* > /dev/null || fail "no checkpoint"

step go on
echo 1002,10, >> /etc/tidemill/selftest.csv
start
await "it did not go on" lines 1002
if [ -d /run/systemd/system ]; then
  step upgrade
  dpkg --no-triggers -i "$deb"
  echo 1003,10, >> /etc/tidemill/selftest.csv
  await "it did not go on after an upgrade" lines 1003
  step remove
  dpkg --no-triggers -r tidemill
else
  stop || fail "it did not end well"
  step remove
  dpkg --no-triggers -r tidemill
fi
pgrep -u tidemill && fail "it still runs"
[ ! -e /usr/bin/tidemill ] && [ ! -e $unit ] || fail "files are left"
[ -d /var/lib/tidemill/selftest ] || fail "a removal took what was learned"

step purge
rm /etc/tidemill/selftest.*
dpkg --no-triggers -P tidemill
[ ! -e /var/lib/tidemill ] && [ ! -e /etc/tidemill ] || fail "a purge left something"
step done
