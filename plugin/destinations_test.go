package main

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/simulator"
)

// destination is a whole configuration of docs/destinations.md.
type destination struct {
	title string
	text  string
	file  struct {
		Service  map[string]string
		Pipeline struct {
			Inputs           []map[string]string
			Filters, Outputs []map[string]string
		}
	}
}

// destinations reads the page. A fenced text that begins with the service is a
// configuration, under the heading before it.
func destinations(t *testing.T) (all []destination) {
	t.Helper()
	page, err := os.ReadFile("../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	fenced := regexp.MustCompile("(?s)```yaml\n(service:\n.*?)```")
	for _, section := range regexp.MustCompile(`(?m)^##+ `).Split(string(page), -1) {
		title, _, _ := strings.Cut(section, "\n")
		for _, match := range fenced.FindAllStringSubmatch(section, -1) {
			d := destination{title: title, text: match[1]}
			if err := yaml.Unmarshal([]byte(d.text), &d.file); err != nil || len(d.file.Pipeline.Inputs) != 1 {
				t.Fatalf("%s: %v", title, err)
			}
			all = append(all, d)
		}
	}
	return all
}

// missing returns the output plugins that a Fluent Bit was built without.
func (d destination) missing(t *testing.T, fluentBit string) (names []string) {
	t.Helper()
	help, err := exec.Command(fluentBit, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, outputs, _ := strings.Cut(string(help), "Outputs")
	for _, output := range d.file.Pipeline.Outputs {
		if !strings.Contains(outputs, "\n  "+output["name"]+" ") {
			names = append(names, output["name"])
		}
	}
	return names
}

func TestDestinationsDryRun(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`\$\{(\w+)\}`)
	for _, d := range destinations(t) {
		t.Run(d.title, func(t *testing.T) {
			t.Parallel()
			inFluentBit(t, func(b *bench) {
				if missing := d.missing(b.t, b.Host.FluentBit); len(missing) > 0 {
					b.t.Skipf("THIS FLUENT BIT WAS BUILT WITHOUT %s: not tested", missing)
				}
				if !b.version().LoadsByYAML() {
					b.t.Skipf("%s has no section plugins in YAML files", b.version())
				}
				path := filepath.Join(b.Host.Dir, "destination.yaml")
				text := strings.ReplaceAll(d.text, "/fluent-bit/plugins/mimecast.so", b.Host.Plugin)
				b.Must(os.WriteFile(path, []byte(text), 0o600))
				cmd := exec.Command(b.Host.FluentBit, "-c", path, "--dry-run")
				cmd.Env = os.Environ()
				for _, match := range variable.FindAllStringSubmatch(text, -1) {
					cmd.Env = append(cmd.Env, match[1]+"=value")
				}
				// 4.0.14 crashes in Azure's output, once it has said that.
				out, err := cmd.CombinedOutput()
				if !strings.Contains(string(out), "test is successful") || strings.Contains(string(out), "[error]") || strings.Contains(string(out), "[ warn]") {
					b.t.Errorf("%v\n%s", err, out)
				}
			})
		})
	}
}

// TestDestinationsLoseNothing holds the page to what it says of all configurations.
func TestDestinationsLoseNothing(t *testing.T) {
	t.Parallel()
	host := regexp.MustCompile(`^(name|tag|storage\.type)$`)
	known := map[string]bool{}
	for _, o := range config.Options() {
		known[o.Key] = true
	}
	all := destinations(t)
	if len(all) < 9 {
		t.Errorf("only %d configurations", len(all))
	}
	for _, d := range all {
		input := d.file.Pipeline.Inputs[0]
		for key := range input {
			if !known[key] && !host.MatchString(key) {
				t.Errorf("%s: %s is no option", d.title, key)
			}
		}
		if input["storage.type"] != "filesystem" || d.file.Service["storage.keep.rejected"] != "on" || d.file.Service["storage.total_limit_size"] != "" {
			t.Errorf("%s: chunks can be lost", d.title)
		}
		for _, output := range d.file.Pipeline.Outputs {
			if limit := output["retry_limit"]; limit != "no_limits" && (output["name"] != "s3" || len(limit) < 6) {
				t.Errorf("%s: retry_limit %s", d.title, limit)
			}
		}
	}
}

// deliver sets the host up to send its records as the page says, to the intake.
func (b *bench) deliver(d destination, r *intake, output map[string]string) {
	b.t.Helper()
	if missing := d.missing(b.t, b.Host.FluentBit); len(missing) > 0 {
		b.t.Skipf("THIS FLUENT BIT WAS BUILT WITHOUT %s: not tested", missing)
	}
	options := maps.Clone(d.file.Pipeline.Inputs[0])
	for _, key := range []string{"name", "storage.type", "region", "client_id", "client_secret", "db"} {
		delete(options, key)
	}
	var more []string
	for _, key := range slices.Sorted(maps.Keys(options)) {
		more = append(more, key, options[key])
	}
	b.input2(more...)
	r.without = []string{"@timestamp", "date", "TimeGenerated", options["id_key"], options["original_key"]}
	b.Host.Service = maps.Clone(d.file.Service)
	maps.Copy(b.Host.Service, map[string]string{"storage.path": b.Host.Storage(), "scheduler.base": "1", "scheduler.cap": "2"})
	host, port, _ := strings.Cut(r.address, ":")
	at := map[string]string{"host": host, "port": port, "tls": "off"}
	for i, to := range d.file.Pipeline.Outputs {
		help, _ := exec.Command(b.Host.FluentBit, "-o", to["name"], "-h").Output()
		for key := range output {
			if !strings.Contains(string(help), key) {
				b.t.Skipf("%s OF THIS FLUENT BIT HAS NO %s: not tested", to["name"], key)
			}
		}
		to = maps.Clone(to)
		maps.Copy(to, at)
		maps.Copy(to, output)
		d.file.Pipeline.Outputs[i] = to
		for _, value := range to {
			if name, ok := strings.CutPrefix(value, "${"); ok {
				b.Host.Env = append(b.Host.Env, strings.TrimSuffix(name, "}")+"=value")
			}
		}
	}
	var pipeline bytes.Buffer
	encoder := yaml.NewEncoder(&pipeline)
	encoder.SetIndent(2)
	b.Must(encoder.Encode(map[string]any{"pipeline": map[string]any{"filters": d.file.Pipeline.Filters, "outputs": d.file.Pipeline.Outputs}}))
	b.Host.Pipeline = strings.TrimPrefix(pipeline.String(), "pipeline:\n")
}

// retries is how often a chunk, or a file of S3's output, was to be sent again.
func (b *bench) retries() int {
	log := b.Host.Log()
	return strings.Count(log, "failed to flush chunk") + strings.Count(log, "PutObject request failed")
}

// destinationTo returns the configuration under a heading.
func destinationTo(t *testing.T, title string) destination {
	t.Helper()
	for _, d := range destinations(t) {
		if d.title == title {
			return d
		}
	}
	t.Fatalf("%s: no such heading", title)
	return destination{}
}

// TestDestinations delivers every record, to a destination that is down, then
// refuses, and is down once more.
func TestDestinations(t *testing.T) {
	t.Parallel()
	test := func(title string, speaks protocol, output map[string]string) {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			inFluentBit(t, func(b *bench) {
				r := newIntake(b.t, speaks)
				for name, value := range output {
					output[name] = strings.ReplaceAll(strings.ReplaceAll(value, "RECEIVER", r.address), "DIR", b.Host.Dir)
				}
				b.deliver(destinationTo(b.t, title), r, output)
				b.Host.Env = append(b.Host.Env, "AWS_ACCESS_KEY_ID=value", "AWS_SECRET_ACCESS_KEY=value")
				b.addFiles(4, 500, simulator.EventTypes()...)
				b.Service.AddEvents(250, time.Now().Add(-time.Hour), 3)
				b.Start()
				b.Await("a chunk that can't be sent", func() bool { return b.retries() > 0 })
				r.up(http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusServiceUnavailable)
				all := func() bool { return r.account(b.Service.Server).Lost == 0 }
				b.t.Cleanup(func() {
					if a := r.account(b.Service.Server); !a.Clean() {
						b.t.Errorf("%v, foreign %d, unparsed %d, lost for instance %.300s", a, a.Foreign, a.Unparsed, a.FirstLost)
					}
				})
				b.Await("all records", all)
				r.down()
				before := b.retries()
				b.Service.AddEvents(20, time.Now().Add(-time.Minute), 3)
				b.Await("another chunk that can't be sent", func() bool { return b.retries() > before })
				r.up(http.StatusTooManyRequests)
				b.Await("all records", all)
				b.Stop()
				b.t.Logf("%v; %d requests, the largest of %d bytes; %d retries", r.account(b.Service.Server), r.requests, r.largest, b.retries())
			})
		})
	}
	test("Elasticsearch and OpenSearch", speakBulk, nil)
	test("out_es", speakBulk, nil)
	test("Splunk", speakSplunk, nil)
	test("Loki", speakLoki, nil)
	test("Azure", speakAzure, map[string]string{"auth_url": "http://RECEIVER/token", "dce_url": "http://RECEIVER"})
	test("S3", speakS3, map[string]string{"endpoint": "http://RECEIVER", "store_dir": "DIR/s3", "total_file_size": "1M", "upload_timeout": "5s"})
}

// TestRepeatsOverwrite kills the host over and over. By their ids, the documents are
// what was served: equal events as often as there are, and nothing twice.
func TestRepeatsOverwrite(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		r := newIntake(b.t, speakBulk)
		b.deliver(destinationTo(b.t, "Elasticsearch and OpenSearch"), r, nil)
		r.without, r.tally.IDKey = []string{"@timestamp"}, "event_id"
		b.input2("logs", "siem,url,impersonation", "siem_types", "receipt,process", "tag", "mimecast", "id_key", r.tally.IDKey)
		r.up()
		for range 3 {
			b.addFiles(3, 1000, "receipt", "process")
			for _, log := range []string{"url", "impersonation"} {
				with := simulator.LogEvents{Start: time.Now().Add(-time.Minute), PerSecond: 3, TwinEvery: 3}
				b.Must(b.Service.AddLogEvents(log, 90, with))
			}
			before := r.received()
			b.Start()
			b.Await("documents", func() bool { return r.received() > before })
			b.Process.Kill()
		}
		b.Start()
		b.Await("all records", func() bool { return r.account(b.Service.Server).Lost == 0 })
		b.Stop()
		if a := r.account(b.Service.Server); !a.Clean() || r.tally.Dropped() == 0 {
			b.t.Errorf("%v, foreign %d, %d repeats", a, a.Foreign, r.tally.Dropped())
		}
	})
}

func TestRefusedDocumentsAreSentAgain(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		r := newIntake(b.t, speakBulk)
		asked := 0
		r.status = func() int {
			if asked++; asked < 500 && asked%7 == 0 {
				return http.StatusTooManyRequests
			}
			return http.StatusCreated
		}
		b.deliver(destinationTo(b.t, "Elasticsearch and OpenSearch"), r, nil)
		b.addFiles(2, 100, "receipt", "process")
		r.up()
		b.Start()
		b.Await("all records", func() bool { return r.account(b.Service.Server).Lost == 0 })
		b.Stop()
		if b.retries() == 0 {
			b.t.Error("nothing was sent again")
		}
	})
}

func TestDocumentsThatExistAreDelivered(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		r := newIntake(b.t, speakBulk)
		exist := 0
		r.status = func() int {
			exist++
			return http.StatusConflict
		}
		b.deliver(destinationTo(b.t, "Elasticsearch and OpenSearch"), r, map[string]string{"write_operation": "create"})
		b.addFiles(2, 100, "receipt", "process")
		r.up()
		b.Start()
		b.Await("all records", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return exist >= 400
		})
		b.Stop()
		if exist > 400 || b.retries() > 0 {
			b.t.Errorf("%d documents were sent, %d retries", exist, b.retries())
		}
	})
}
