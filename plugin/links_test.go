package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// The tests here are of API 2.0. A type with nothing new is asked for again after
// five minutes: all files are there before the start.

// input2 sets a block of API 2.0, with more options in pairs.
func (b *bench) input2(more ...string) { b.Host.Inputs = []harness.Input{b.Input2(more...)} }

// addFiles adds files of types in turn.
func (b *bench) addFiles(each, records int, types ...string) {
	b.t.Helper()
	for range each {
		for _, kind := range types {
			b.Must(b.Service.AddFiles(kind, 1, records))
		}
	}
}

// files is how many log files the service has sent.
func (b *bench) files() int {
	return b.Service.Requests().Count(simulator.PathLinks, simulator.OutcomeFile)
}

// recorded has the host ask the service through one that calls seen with each
// request before.
func (b *bench) recorded(seen func(*http.Request)) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen(r)
		b.Service.ServeHTTP(w, r)
	}))
	b.t.Cleanup(server.Close)
	b.Host.Inputs[0][0] = [2]string{"base_url", server.URL}
}

func TestFilesOfAllTypesArriveOnce(t *testing.T) {
	t.Parallel()
	test := func(b *bench) {
		b.input2()
		b.addFiles(30, 50, simulator.EventTypes()...)
		b.Service.AddEvents(250, time.Now().Add(-time.Hour), 3)
		b.Start()
		b.All()
		b.Service.AddEvents(20, time.Now().Add(-time.Minute), 3)
		b.All()
		b.Stop()
		b.Clean()
	}
	inBoth(t, test)
	inBareHost(t, test)
}

func TestFilesOfCloudIntegrated(t *testing.T) {
	t.Parallel()
	test := func(b *bench) {
		b.input2("logs", "siem,siem_ci", "siem_types", "receipt")
		b.addFiles(10, 50, append(simulator.CITypes(), "receipt")...)
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
		content, err := os.ReadFile(b.Host.Output())
		if err != nil {
			b.t.Fatal(err)
		}
		for _, logType := range simulator.CITypes() {
			if n := strings.Count(string(content), `"log_source":"siem_ci","log_type":"`+logType+`"`); n != 500 {
				b.t.Errorf("%d records of %s", n, logType)
			}
		}
	}
	inBoth(t, test)
	inBareHost(t, test)
}

func TestFilesOverSeveralPages(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.input2("logs", "siem", "siem_types", "spam,url_protect")
		b.addFiles(230, 40, "spam", "url protect")
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestTagsByTypeOfFiles(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input2("logs", "siem", "tag_by_type", "on", "tag", "mail")
		b.Host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, match: mail.*, path: %q, mkdir: on, format: plain}
    - {name: file, match: "*", path: %q, file: records.jsonl, format: plain}
`, b.Host.Tags(), b.Host.Dir)
		b.addFiles(3, 50, simulator.EventTypes()...)
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
		for _, logType := range []string{
			"receipt", "process", "delivery", "jrnl", "av", "spameventthread",
			"ttp_url", "ttp_ap", "impersonation", "iep",
		} {
			content, err := os.ReadFile(b.Host.Tagged("mail.siem." + logType))
			want := `"log_source":"siem","log_type":"` + logType + `"`
			if lines := strings.Count(string(content), "\n"); err != nil || lines != 150 || lines != strings.Count(string(content), want) {
				b.t.Errorf("%s: %d lines, %v", logType, lines, err)
			}
		}
	})
}

func TestKillsInAPage(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		k := newKilled(b)
		b.input2("logs", "siem", "siem_types", "receipt,av")
		b.addFiles(90, recordsPerKilledBatch, "receipt", "av")
		for i := range 3 {
			sent, stored := b.files(), k.OutputSize()
			k.Start()
			k.Await("some files", func() bool { return b.files() > sent+10*i })
			if k.Host.FluentBit == "" {
				k.Await("some records", func() bool { return k.OutputSize() > stored })
			}
			k.kill()
		}
		if k.Tally.Different() == 2*90*recordsPerKilledBatch {
			k.t.Error("all of it had come before the last kill")
		}
		k.Host.Service = nil
		k.Start()
		k.Await("all records", func() bool { return k.now().Lost == 0 })
		k.Stop()
		k.account()
	})
}

// now counts what the output has, besides what was counted before.
func (k *killed) now() harness.Account {
	k.t.Helper()
	k.Must(k.Tally.AddFile(k.Host.Output()))
	return k.Tally.Account(k.Service.Expected())
}

func TestStopAndStartInAPage(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.input2("siem_types", "receipt,url_protect")
		b.addFiles(40, 1000, "receipt", "url protect")
		b.Service.AddEvents(500, time.Now().Add(-time.Hour), 3)
		for range 3 {
			b.Start()
			b.Some(b.Received())
			b.Stop()
		}
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestReloadsInAPage(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.input2("logs", "siem", "siem_types", "receipt,url_protect")
		b.addFiles(6, 1000, "receipt", "url protect")
		b.Start("-Y")
		for i := range 4 {
			b.Await("some records", func() bool { return b.Received() > i*5000 })
			b.addFiles(6, 1000, "receipt", "url protect")
			b.Reload()
		}
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestSecretsOfAPI2StayHidden(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input2("log_level", "debug")
		var mu sync.Mutex
		secrets := map[string]string{b.Service.Client().Secret: "the client secret"}
		b.recorded(func(r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
				secrets[token] = "a token"
			}
			for _, key := range []string{"X-Amz-Signature", "X-Amz-Credential"} {
				if value := r.URL.Query().Get(key); value != "" {
					secrets[value] = "a link's " + key
				}
			}
		})
		b.Service.NextAt(simulator.PathToken, simulator.FaultUnauthorized, simulator.FaultHTML)
		b.Service.NextAt(simulator.PathEvents, simulator.FaultTokenExpired, simulator.FaultTokenUnverified, simulator.FaultReset)
		b.Service.NextAt(simulator.PathLinks, simulator.FaultLinkExpired, simulator.FaultLinkGone, simulator.FaultServerError, simulator.FaultReset, simulator.FaultBodyCut, simulator.FaultNotAZip)
		b.addFiles(2, 20, simulator.EventTypes()...)
		b.Start()
		b.All()
		b.Logged("fetching fails")
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.Process.PID()))
		if err != nil {
			b.t.Fatal(err)
		}
		b.Stop()
		kinds := map[string]bool{}
		for secret, what := range secrets {
			kinds[what] = true
			if strings.Contains(b.Host.Log(), secret) || strings.Contains(string(cmdline), secret) {
				b.t.Errorf("%s can be read", what)
			}
		}
		if len(kinds) != 3 {
			b.t.Errorf("of these there were none but %v", kinds)
		}
	})
}

func TestRotatedClientSecret(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		path := filepath.Join(b.Host.Dir, "client_secret")
		rotate := func(client simulator.Client) {
			b.t.Helper()
			b.Must(os.WriteFile(path, []byte(client.Secret+"\n"), 0o600))
			b.Must(b.Service.SetClient(client))
			b.Service.ExpireTokens()
		}
		client := b.Service.Client()
		rotate(client)
		b.input2("siem_types", "receipt")
		b.Host.Inputs[0][2] = [2]string{"client_secret_file", path}
		b.addFiles(5, 50, "receipt")
		b.Start()
		b.All()
		client.Secret = "another-client-secret"
		rotate(client)
		b.Service.AddEvents(50, time.Now().Add(-time.Minute), 3)
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestTokensAndLinksOfShortLives(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.Serve(simulator.Config{TokenLife: 5 * time.Second, LinkLife: 3 * time.Second})
		b.input2("logs", "siem", "siem_types", "receipt,url_protect")
		b.recorded(func(r *http.Request) {
			if strings.HasPrefix(r.URL.Path, simulator.PathLinks) {
				time.Sleep(100 * time.Millisecond) // the store is slow
			}
		})
		b.addFiles(50, 20, "receipt", "url protect") // longer than both lives
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
		asked := b.Service.Requests()
		if asked.Count(simulator.PathToken, simulator.OutcomeToken) < 2 || asked.At(simulator.PathLinks) == b.files() {
			b.t.Errorf("no token was renewed, or no link ended: %v", asked.Outcomes)
		}
	})
}
