package trial

import (
	"testing"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// TestCloneKeepsNothingOfTheEvent writes over what an alert shares with its events.
func TestCloneKeepsNothingOfTheEvent(t *testing.T) {
	memory := []byte("card-1 text")
	shared := unsafe.String(unsafe.SliceData(memory), 6)
	list := event.Value{Kind: event.List, C: &event.Compound{Elems: []event.Value{event.OfString(shared)}}}
	a := &event.Alert{
		ID: shared, Rule: "r", Key: []event.Named{{Name: "k", Value: event.OfString(shared)}},
		Fields: []event.Named{{Name: "l", Value: list}}, Events: []event.Evidence{{JSON: memory[:6]}},
	}
	c := Clone(a)
	clear(memory)
	if c.ID != "card-1" || c.Key[0].Value.S != "card-1" || c.Fields[0].Value.Elems()[0].S != "card-1" || string(c.Events[0].JSON) != "card-1" {
		t.Errorf("clone %+v", c)
	}
}
