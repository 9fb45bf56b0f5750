package collector

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// BenchmarkDeliverFile takes files of API 2.0, one of each type, from memory to
// pieces.
func BenchmarkDeliverFile(b *testing.B) {
	const records = 1000
	server, err := simulator.New(simulator.Config{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	var files [][]byte
	for n, kind := range simulator.EventTypes() {
		if err := server.AddFiles(kind, 1, records); err != nil {
			b.Fatal(err)
		}
		file, err := server.RawEventFile(n)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, file)
	}
	cfg, err := config.Parse(func(key string) string {
		return map[string]string{
			"api": "2", "region": "global", "client_id": "id", "client_secret": "secret", "db": "off", "logs": "siem",
		}[key]
	})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	client, err := newClient(cfg, log)
	if err != nil {
		b.Fatal(err)
	}
	share := new(memory.Budget).Share()
	c := &Collector{cfg: cfg, log: log, client: client, memory: share, queue: delivery.NewQueue(share)}
	c.share(&Quotas{})
	c.makeStreams(tempFile)
	stop := handOver(c.queue)
	defer stop()
	b.ReportAllocs()
	for b.Loop() {
		for n, file := range files {
			p := c.pollers[n].(*links)
			p.at.suspects = map[string]suspectFile{}
			body, err := spool(bytes.NewReader(file), linkMemory, share, nil)
			if err != nil {
				b.Fatal(err)
			}
			p.at.pos = position.Links{From: "any"}
			if err := p.at.file(b.Context(), download{link: mimecast.SIEMLink{Path: "/a.json.gz"}, body: body, at: time.Now()}); err != nil {
				b.Fatal(err)
			}
			body.Close()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records*len(files)), "ns/record")
}
