#!/bin/bash
# Metrics: a file for the real node_exporter, and the exporter, as promtool likes them; they live through stop and start.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    gateway 192.0.2.1
END
netns_conf nginx
systemctl start nginx
prom=/var/lib/prometheus/node-exporter/netns_nginx.prom

# says FAMILY-AND-LABELS VALUE FILE-OR-URL: that sample is there.
says() {
    case $3 in http*) curl -fsS "$3" ;; *) cat "$3" ;; esac | grep -qxF "$1 $2"
}
# lint FILE: promtool has nothing to say.
lint() {
    local said
    said=$(promtool check metrics <"$1" 2>&1) && [ -z "$said" ] || { echo "$said"; return 1; }
}
families() { sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | grep '^node_network_' | sort; }

check 'the collector starts' systemctl start prometheus-netns-collector@nginx
check 'its file is there' test -s $prom
check 'promtool finds nothing to say' lint $prom
check 'the namespace is up' says 'netns_up{netns="nginx"}' 1 $prom
check 'its link is up' says 'node_network_up{netns="nginx",device="eth0"}' 1 $prom
check 'sysfs is read within the confinement' says 'node_network_speed_bytes{netns="nginx",device="eth0"}' 1250000000 $prom
check 'so are the files' says 'netns_drift_operations{netns="nginx"}' 0 $prom
check 'and systemd' says 'netns_service_restarts_total{netns="nginx",unit="nginx.service"}' 0 $prom

check 'node_exporter starts' systemctl start prometheus-node-exporter
node=http://127.0.0.1:9100/metrics
check 'it answers' eventually curl -fsS -o /run/node.txt $node
check 'it has read the file' says node_textfile_scrape_error 0 $node
check 'our link is among its own' grep -q '^node_network_up{device="eth0",netns="nginx"} 1' /run/node.txt
check 'and its own are still there' grep -q '^node_network_mtu_bytes{device="lo"' /run/node.txt
curl -fsS "$node?collect%5B%5D=netdev&collect%5B%5D=netclass" >/run/own.txt
check_is 'all its families of links are ours' '' "$(comm -23 <(families </run/own.txt) <(families <$prom))"
check_not 'it finds no fault' journalctl --unit prometheus-node-exporter --grep 'error gathering|inconsistent|textfile.*err='

systemctl stop nginx
check 'the collector does not keep the namespace up' eventually inactive systemd-netns@nginx
check 'it tells that it is down' eventually says 'netns_up{netns="nginx"}' 0 $prom
check 'it still runs' systemctl -q is-active prometheus-netns-collector@nginx
check 'promtool finds nothing to say' lint $prom
systemctl start nginx
check 'it tells that it is up again' eventually says 'netns_up{netns="nginx"}' 1 $prom
check 'with its link' eventually says 'node_network_up{netns="nginx",device="eth0"}' 1 $prom
kill -9 "$(main_pid prometheus-netns-collector@nginx)"
check 'it comes again' eventually test -s $prom
systemctl stop prometheus-netns-collector@nginx
check_not 'it takes its file with it' test -e $prom
systemctl stop prometheus-node-exporter

sleeper app Restart=always RestartSec=100ms
write /etc/netns/app/network/interfaces <<<'auto lo'
netns_conf app
systemctl start app
kill -9 "$(main_pid app)"
restarted() { [ "$(systemctl show -P NRestarts app)" = 1 ]; }
eventually restarted
systemd-netns collect --print app >/run/app.txt
check 'restarts are counted' says 'netns_service_restarts_total{netns="app",unit="app.service"}' 1 /run/app.txt

write /etc/netns/idle/network/interfaces <<<'auto lo'
exporter=http://127.0.0.1:9717/metrics
check 'the exporter listens' systemctl start systemd-netns-exporter.socket
check_is 'it does not run yet' inactive "$(systemctl show -P ActiveState systemd-netns-exporter.service)"
check 'it answers' curl -fsS -o /run/all.txt $exporter
check 'promtool finds nothing to say' lint /run/all.txt
check 'it tells of nginx' says 'netns_up{netns="nginx"}' 1 /run/all.txt
check 'and of app' says 'netns_up{netns="app"}' 1 /run/all.txt
check 'and of one that is not up' says 'netns_up{netns="idle"}' 0 /run/all.txt
check 'sysfs is read within the confinement' \
    says 'node_network_speed_bytes{netns="nginx",device="eth0"}' 1250000000 /run/all.txt
check 'so are the files' says 'netns_drift_operations{netns="nginx"}' 0 /run/all.txt
silent=()
for _ in $(seq 80); do exec {fd}<>/dev/tcp/127.0.0.1/9717 && silent+=("$fd"); done
check 'clients that say nothing keep nobody away' curl -fsS -o /run/all.txt --max-time 4 $exporter
for fd in "${silent[@]}"; do exec {fd}>&-; done
systemctl stop nginx
check 'it keeps no namespace up' eventually inactive systemd-netns@nginx
check_not 'nor alive' test -e /run/netns/nginx
systemctl start nginx
sleep 1.1
check 'it tells of the new one' says 'node_network_up{netns="nginx",device="eth0"}' 1 $exporter
# A real Prometheus asks, and is asked all that the dashboard asks.
dashboard=/usr/share/systemd-netns-helper/grafana/systemd-netns.json
mkdir -p /run/prometheus
cat >/run/prometheus/config.yml <<'END'
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: netns, static_configs: [{targets: ['127.0.0.1:9717']}]}]
END
systemd-run --quiet --unit=lan-prometheus prometheus --config.file=/run/prometheus/config.yml \
    --storage.tsdb.path=/run/prometheus/data --web.listen-address=127.0.0.1:9090
# ask EXPRESSION: how many series answer.
ask() {
    curl -fsS --get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query |
        jq -e 'select(.status == "success") | .data.result | length'
}
scraped() { [ "$(ask 'sum_over_time(netns_up{netns="nginx"}[1m]) >= 4')" = 1 ]; }
check 'Prometheus scrapes the exporter' eventually scraped
refused=$(jq -r '.panels[].targets[]?.expr' $dashboard |
    sed 's/\$instance/.*/g; s/\$netns/.*/g; s/\$__rate_interval/1m/g' |
    while read -r expression; do ask "$expression" >/dev/null 2>&1 || printf '%s\n' "$expression"; done)
check_is 'it understands all that the dashboard asks' '' "$refused"
check_is 'and has an answer about traffic' 1 \
    "$(ask 'rate(node_network_receive_bytes_total{netns="nginx",device="eth0"}[1m])')"
systemctl stop lan-prometheus
zcat /usr/share/man/man7/systemd-netns-metrics.7.gz | sed -n '/^groups:/,/^\.fi/p' | grep -v '^\.fi' >/run/alerts.yml
check 'promtool accepts the alerts of the manual' promtool check rules /run/alerts.yml
systemctl stop systemd-netns-exporter.socket systemd-netns-exporter.service

for unit in 'prometheus-netns-collector@nginx' systemd-netns-exporter; do
    check "systemd finds no fault in $unit" systemd-analyze verify --man=no "$unit.service"
    check "$unit is confined" systemd-analyze security --no-pager --threshold=28 "$unit.service"
done
