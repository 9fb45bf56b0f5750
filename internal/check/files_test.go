package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/checkpoint"
)

const secret = "s3cr3t-that-nobody-sees"

// scene is a folder for a configuration, with all that a good one names.
type scene struct {
	t   *testing.T
	dir string
	env map[string]string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t, t.TempDir(), map[string]string{"MIMECAST_CLIENT_ID": "id", "MIMECAST_CLIENT_SECRET": secret}}
	if err := os.Mkdir(s.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file. {dir} in it stands for the folder.
func (s *scene) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(strings.ReplaceAll(content, "{dir}", s.dir)), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(s.path(name), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// check checks a file, and looks for the secret in what it prints.
func (s *scene) check(name string) *Report {
	s.t.Helper()
	report, _ := Files(s.path(name), func(name string) string { return s.env[name] })
	noSecret(s.t, report)
	return report
}

func noSecret(t *testing.T, r *Report) {
	t.Helper()
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Error(err)
	}
	if err := r.PrintJSON(&b); err != nil {
		t.Error(err)
	}
	if strings.Contains(b.String(), secret) {
		t.Errorf("the secret is printed:\n%s", b.String())
	}
}

// troubles returns what is neither ok nor skipped, a line each.
func troubles(r *Report) []string {
	var lines []string
	for _, result := range r.Results {
		if result.Status == Warning || result.Status == Failed {
			_, line, _ := strings.Cut(result.At, ".yaml")
			lines = append(lines, fmt.Sprintf("%s %s%s: %s; %s", result.Status, result.Block, line, result.What, result.Do))
		}
	}
	return lines
}

// good is a configuration without a mistake, with a mark for each change.
const good = `service:
  storage.path: {dir}/state/storage
pipeline:
  inputs:
    - name: mimecast
      tag: mail
      client_id: ${MIMECAST_CLIENT_ID}
      client_secret: ${MIMECAST_CLIENT_SECRET}
      account: acme
      db: {dir}/state/x.db
      storage.type: filesystem
  outputs:
    - name: http
      match: mail
      retry_limit: no_limits
`

// another is a second block.
const another = `    - name: mimecast
      client_id: ${MIMECAST_CLIENT_ID}
      client_secret: ${MIMECAST_CLIENT_SECRET}
      account: acme
      db: {dir}/state/x.db
      logs: impersonation
      tag: mail
      storage.type: filesystem
`

// TestMistakes changes the good configuration at one place each: that and nothing
// else is found.
func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string // the change
		want     []string
	}{
		"none":               {"", "", nil},
		"misspelt key":       {"client_secret:", "client_secert:", []string{"failed mimecast.0:8: client_secert is no option: it goes unnoticed; did you mean client_secret?", "failed mimecast.0: client_secret: missing"}},
		"hyphens":            {"account: acme", "account: acme\n      poll-interval: 5m", []string{"failed mimecast.0:10: poll-interval is no option: it goes unnoticed; did you mean poll_interval?"}},
		"unknown key":        {"account: acme", "account: acme\n      frequency: 5m", []string{"failed mimecast.0:10: frequency is no option"}},
		"twice":              {"account: acme", "account: acme\n      account: other", []string{"warning mimecast.0:10: account is set twice: the first one counts"}},
		"list":               {"account: acme", "account: acme\n      logs: [siem, audit]", []string{"failed mimecast.0:10: logs is a list: Fluent Bit gives the plugin its first item alone; write it as one text"}},
		"map":                {"account: acme", "account: acme\n      logs: {siem: on}", []string{"failed mimecast.0:10: logs is a map"}},
		"tls":                {"account: acme", "account: acme\n      tls: on", []string{"failed mimecast.0:10: tls is on, which ends Fluent Bit's start"}},
		"host":               {"account: acme", "account: acme\n      host: api.example.com", []string{"warning mimecast.0:10: host is Fluent Bit's, and without effect on this plugin; did you mean region or base_url?"}},
		"tls.verify":         {"account: acme", "account: acme\n      tls.verify: off", []string{"warning mimecast.0:10: tls.verify is Fluent Bit's, and without effect on this plugin; did you mean tls_verify?"}},
		"net":                {"account: acme", "account: acme\n      net.keepalive: off", []string{"failed mimecast.0:10: net.keepalive is Fluent Bit's, and may end its start; did you mean http_timeout?"}},
		"oauth2":             {"account: acme", "account: acme\n      oauth2.enable: on", []string{"failed mimecast.0:10: oauth2.enable is Fluent Bit's, and may end its start"}},
		"size":               {"account: acme", "account: acme\n      mem_buf_limit: 10MiB", []string{`failed mimecast.0:10: mem_buf_limit: "10MiB" is no size`}},
		"threaded":           {"account: acme", "account: acme\n      threaded: maybe\n      mem_buf_limit: 1.5gb", []string{`failed mimecast.0:10: threaded: "maybe" is not one of: on, off`}},
		"log level":          {"account: acme", "account: acme\n      log_level: verbose", []string{`failed mimecast.0:10: log_level: "verbose" is not one of: off, error`}},
		"routable":           {"account: acme", "account: acme\n      routable: off", []string{"failed mimecast.0:10: routable is off"}},
		"value":              {"account: acme", "account: acme\n      logs: seim", []string{`failed mimecast.0:10: logs: "seim" is not one of: siem, siem_ci`}},
		"warning of a value": {"account: acme", "account: acme\n      siem_format: json", []string{"warning mimecast.0:10: siem_format: without effect with API 2.0"}},
		"variable":           {"${MIMECAST_CLIENT_SECRET}", "${MIMECAST_SECRET}", []string{"failed mimecast.0:8: client_secret: the variable MIMECAST_SECRET is not set", "failed mimecast.0:8: client_secret: missing"}},
		"optional variable":  {"account: acme", "account: acme\n      region: ${REGION}", []string{"warning mimecast.0:10: region: the variable REGION is not set"}},
		"secret file":        {"client_secret: ${MIMECAST_CLIENT_SECRET}", "client_secret_file: {dir}/open", []string{"warning mimecast.0:8: client_secret_file: every user can read {dir}/open (mode 0644); chmod o-rwx"}},
		"no secret file":     {"client_secret: ${MIMECAST_CLIENT_SECRET}", "client_secret_file: {dir}/gone", []string{"failed mimecast.0:8: client_secret_file: can't read it"}},
		"secret in the file": {"${MIMECAST_CLIENT_SECRET}", secret, []string{"warning mimecast.0: a secret stands in this file, which every user can read (mode 0644)"}},
		"db's folder":        {"{dir}/state/x.db", "{dir}/stat/x.db", []string{"failed mimecast.0:10: db: its folder {dir}/stat can't be used: no such file or directory; make the folder"}},
		"db is a folder":     {"{dir}/state/x.db", "{dir}/state", []string{"failed mimecast.0:10: db: {dir}/state is a folder"}},
		"db is another file": {"{dir}/state/x.db", "{dir}/open", []string{"failed mimecast.0:10: db {dir}/open can't be used as a checkpoint file"}},
		"db off":             {"{dir}/state/x.db", "off", []string{"warning mimecast.0: db is off"}},
		"db elsewhere":       {"{dir}/state/x.db", "/dev/shm/x.db", []string{"warning mimecast.0:10: db and storage.path are on different file systems"}},
		"memory":             {"      storage.type: filesystem\n", "", []string{"warning mimecast.0: chunks are in memory alone"}},
		"no storage.path":    {"storage.path: {dir}/state/storage", "flush: 1", []string{"failed mimecast.0:11: storage.type is filesystem, and the service has no storage.path"}},
		"daemon":             {"service:\n", "service:\n  daemon: on\n", []string{"failed service:1: daemon is on"}},
		"checksum":           {"service:\n", "service:\n  storage.checksum: on\n", []string{"warning service:1: storage.checksum is on"}},
		"processors":         {"account: acme", "account: acme\n      processors:\n        logs:\n          - name: sql", []string{"warning mimecast.0:10: processors that drop or add records weaken the guarantee"}},
		"no match":           {"match: mail", "match: mimecast", []string{"failed mimecast.0:6: no output takes the tag mail: these records are dropped; let match"}},
		"default tag":        {"      tag: mail\n", "", []string{"failed mimecast.0: no output takes the tag mimecast.0"}},
		"tags by type":       {"account: acme", "account: acme\n      tag_by_type: on", []string{"failed mimecast.0:6: no output takes the tag mail.siem.receipt, mail.siem.process, mail.siem.delivery and 11 more"}},
		"tries once":         {"      retry_limit: no_limits\n", "", []string{"warning http.0:13: it drops a chunk after one retry, the default; set retry_limit: no_limits"}},
		"tries five times":   {"no_limits", "5", []string{"warning http.0:15: it drops a chunk after 5 retries"}},
		"tries not again":    {"no_limits", "no_retries", []string{"warning http.0:15: retry_limit no_retries"}},
		"limited size":       {"no_limits", "no_limits\n      storage.total_limit_size: 10M", []string{"warning http.0:16: storage.total_limit_size 10M: beyond that the oldest chunks are dropped"}},
		"the same logs":      {"  outputs:\n", another + "  outputs:\n", []string{"failed mimecast.1: mimecast.0 collects the logs impersonation of account acme too, with the same db"}},
		"the same db as the second": {"  outputs:\n", strings.ReplaceAll(another, "x.db", "y.db") + strings.ReplaceAll(another, "x.db", "y.db") + "  outputs:\n", []string{
			"warning mimecast.1: mimecast.0 collects the logs impersonation of the same application too: every record comes twice",
			"failed mimecast.2: mimecast.1 collects the logs impersonation of account acme too, with the same db",
		}},
		"another application": {"  outputs:\n", strings.ReplaceAll(strings.ReplaceAll(another, "x.db", "y.db"), "${MIMECAST_CLIENT_ID}", "other") + "  outputs:\n", []string{
			"warning mimecast.1: mimecast.0 has the same account acme for another application",
		}},
		"a port of no kind": {"account: acme", "account: acme\n      ports: 1", []string{"failed mimecast.0:10: ports is no option: it goes unnoticed"}},
		"the same alias":    {"    - name: mimecast\n", strings.ReplaceAll(another, "      tag", "      alias: one\n      tag") + "    - name: mimecast\n      alias: one\n      logs: siem\n", []string{"warning one:14: alias: another block has the same"}},
		"the same account":  {"  outputs:\n", strings.ReplaceAll(another, "x.db", "y.db") + "  outputs:\n", []string{"warning mimecast.1: mimecast.0 collects the logs impersonation of the same application too: every record comes twice"}},
		"no name":           {"name: http", "nam: http", []string{"failed file:13: a section without a name"}},
		"no block":          {"name: mimecast", "name: dummy", []string{"failed file: no input is named mimecast"}},
		"no YAML":           {"account: acme", "account: [" + secret, []string{"failed file"}},
		"an alias":          {"account: acme", "account: &a acme\n      account_key: *a", []string{"failed file:10: an alias; Fluent Bit reads none"}},
		"no include":        {"service:\n", "includes:\n  - gone.yaml\nservice:\n", []string{"failed file:2: the included file {dir}/gone.yaml can't be read: no such file"}},
		"no list":           {"    - name: mimecast\n", "      name: mimecast\n", []string{"failed file:4: inputs has to be a list"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.write("open", secret)
			content := strings.Replace(good, test.from, test.to, 1)
			if test.from != "" && content == good {
				t.Fatal("nothing was changed")
			}
			s.write("fluent-bit.yaml", content)
			got := troubles(s.check("fluent-bit.yaml"))
			if len(got) != len(test.want) {
				t.Fatalf("want %d:\n%s", len(test.want), strings.Join(got, "\n"))
			}
			for i, want := range test.want {
				if want = strings.ReplaceAll(want, "{dir}", s.dir); !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

// TestExamples finds nothing in the examples but that their folders are not here.
func TestExamples(t *testing.T) {
	for _, name := range []string{"fluent-bit.yaml", "fluent-bit.conf"} {
		content, err := os.ReadFile("../../" + name + ".example")
		if err != nil {
			t.Fatal(err)
		}
		s := newScene(t)
		s.write(name, strings.ReplaceAll(string(content), "/var/lib/fluent-bit", "{dir}/state"))
		if report := s.check(name); troubles(report) != nil || report.Count(OK) < 5 {
			t.Errorf("%s:\n%s", name, strings.Join(troubles(report), "\n"))
		}
	}
}

// TestReadme finds nothing but what the README's short examples leave out on purpose.
func TestReadme(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	s := newScene(t)
	s.write("fluent-bit.yaml", strings.ReplaceAll(example, "/var/lib/fluent-bit", "{dir}/state"))
	if got := troubles(s.check("fluent-bit.yaml")); got != nil {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// TestPositions tells what a db has, also while the plugin has it open.
func TestPositions(t *testing.T) {
	s := newScene(t)
	s.write("fluent-bit.yaml", good)
	var files checkpoint.Files
	key := checkpoint.Key{Account: "acme", Log: "impersonation"}
	claim, err := files.Claim(s.path("state/x.db"), []checkpoint.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	store, err := claim.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = claim.Release() }()
	says := func(want string) {
		t.Helper()
		for _, r := range s.check("fluent-bit.yaml").Results {
			if strings.HasPrefix(r.What, "db:") {
				if !strings.Contains(r.What, want) {
					t.Errorf("%q does not say %q", r.What, want)
				}
				return
			}
		}
		t.Error("nothing is said of the db")
	}
	says("no position yet")
	for _, step := range []struct {
		key  checkpoint.Key
		want string
	}{{checkpoint.Key{Account: "before", Log: "siem"}, "but of before"}, {key, "it has positions of 1 of 11 logs"}} {
		if err := store.Commit([]checkpoint.Change{{Key: step.key, Position: map[string]string{"last_poll": "2026-01-02T04:00:00Z"}}}); err != nil {
			t.Fatal(err)
		}
		says(step.want)
	}
}

func TestNearest(t *testing.T) {
	words := append(optionKeys(), hostKeys...)
	for word, want := range map[string]string{
		"client_secret_fil": "client_secret_file", "clientid": "client_id", "tagbytype": "tag_by_type", "storage.typ": "storage.type",
		"menbuflimit": "mem_buf_limit", "lgos": "logs", "x": "", "initial_look_back": "initial_lookback",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func TestPrint(t *testing.T) {
	r := &Report{}
	r.add(OK, "mimecast.0", "", "it works", "")
	r.add(Failed, "http.1", "x.yaml:3", "two\nlines", "mend it")
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := "ok       mimecast.0  it works\nfailed   http.1      two lines (x.yaml:3); to do: mend it\n1 ok, 0 warning, 1 failed, 0 skipped\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestRoutes checks the outputs that a block's own routes lead to.
func TestRoutes(t *testing.T) {
	s := newScene(t)
	routes := "      storage.type: filesystem\n      routes:\n        logs:\n          - name: mail\n            to:\n              outputs:\n                - main\n                - name: gone\n"
	content := strings.Replace(good, "      storage.type: filesystem\n", routes, 1)
	s.write("fluent-bit.yaml", strings.Replace(content, "match: mail\n      retry_limit: no_limits", "alias: main\n      match: none", 1))
	want := []string{
		"warning mimecast.0:12: routes lead to gone, which no output is called; give the output that alias, or correct the name",
		"warning main:20: it drops a chunk after one retry, the default; set retry_limit: no_limits",
	}
	if diff := cmp.Diff(want, troubles(s.check("fluent-bit.yaml"))); diff != "" {
		t.Error(diff)
	}
}
