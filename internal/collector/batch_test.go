package collector

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/position"
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
			share := new(memory.Budget).Share()
			c := &Collector{cfg: cfg, log: log, client: client, memory: share, queue: delivery.NewQueue(share)}
			c.makeStreams(tempFile)
			p := c.pollers[0].(*siem)
			if err := p.load(nil); err != nil {
				b.Fatal(err)
			}
			stop := handOver(c.queue)
			defer stop()
			b.ReportAllocs()
			for b.Loop() {
				body, err := spool(bytes.NewReader(archive), spoolMemory, share, nil)
				if err != nil {
					b.Fatal(err)
				}
				p.pos = position.SIEM{}
				f := &fetched{request: p.request(), name: "a.zip", next: "next", body: body}
				if err := p.deliverBatch(context.Background(), f); err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
		})
	}
}

// counter is a host that takes everything at once.
type counter struct{ records uint64 }

func (c *counter) Append(_ string, records int, _ []byte) error {
	c.records += uint64(records)
	return nil
}

func (c *counter) Counts() (delivery.Counts, bool) {
	return delivery.Counts{Records: c.records, Queued: -1}, true
}

// handOver hands over what is queued until stop is called.
func handOver(q *delivery.Queue) (stop func()) {
	log := slog.New(slog.DiscardHandler)
	h := delivery.NewHandover(q, delivery.NewCommitter(log), delivery.NewDiskSpace("", log), log)
	q.Coming(1)
	var end atomic.Bool
	var running sync.WaitGroup
	running.Go(func() {
		for host := new(counter); !end.Load(); {
			h.Drain(host, time.Now().Add(time.Second))
		}
	})
	return func() {
		end.Store(true)
		running.Wait()
	}
}
