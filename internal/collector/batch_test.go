package collector

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// BenchmarkDeliverBatch takes a batch from memory to pieces.
func BenchmarkDeliverBatch(b *testing.B) {
	const records = 10000
	for _, format := range []mimecast.Format{mimecast.JSON, mimecast.KeyValue} {
		b.Run(string(format), func(b *testing.B) {
			server, err := simulator.New(simulator.Config{Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			server.AddBatch(records)
			archive, err := server.RawZip(0, string(format))
			if err != nil {
				b.Fatal(err)
			}
			cfg, err := config.Parse(func(key string) string {
				return map[string]string{
					"region": "eu", "app_id": "id", "app_key": "key", "access_key": "access", "secret_key": "c2VjcmV0",
					"db": "off", "logs": "siem", "siem_format": string(format),
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
			c := &Collector{cfg: cfg, log: log, client: client, queue: make(queue, queueLength)}
			c.handover = newHandover(c.queue, newCommitter(nil, log), newRoom("", log), log)
			c.makeStreams(tempFile)
			p := c.pollers[0].(*siem)
			if err := p.load(nil); err != nil {
				b.Fatal(err)
			}
			go func() {
				for piece := range c.queue {
					piece.free()
				}
			}()
			defer close(c.queue)
			b.ReportAllocs()
			for b.Loop() {
				body, err := spool(bytes.NewReader(archive), nil)
				if err != nil {
					b.Fatal(err)
				}
				p.pos = siemPosition{}
				f := &fetched{request: p.request(), name: "a.zip", next: "next", body: body}
				if err := p.deliverBatch(context.Background(), f); err != nil {
					b.Fatal(err)
				}
				f.close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
		})
	}
}
