package event

import "bytes"

// envelope is a CloudEvents envelope in structured mode; see [Decoder].
type envelope struct {
	id, source, typ, time *member // time: nil where there is none
	data                  []member
	all                   []member
}

// openEnvelope returns the envelope that the members make, nil where they are none:
// a plain record may well have a field called specversion.
func (d *Decoder) openEnvelope(members []member) (*envelope, error) {
	var data, binary, spec *member
	env := &d.env
	*env = envelope{all: members}
	for i := range members {
		m := &members[i]
		switch string(d.key(m)) {
		case "specversion":
			spec = m
		case "id":
			env.id = m
		case "source":
			env.source = m
		case "type":
			env.typ = m
		case "time":
			env.time = m
		case "data":
			data = m
		case "data_base64":
			binary = m
		}
	}
	if !isText(spec) || !isText(env.id) || !isText(env.source) || !isText(env.typ) {
		return nil, nil
	}
	if binary != nil {
		return nil, &DecodeError{Malformed, "CloudEvents envelope with binary data"}
	}
	return env, d.openData(env, data)
}

func isText(m *member) bool { return m != nil && m.shape == isString }

// openData scans the members of an envelope's data.
func (d *Decoder) openData(env *envelope, data *member) error {
	if data == nil || data.shape == isNull {
		return nil
	}
	if data.shape != isObject {
		return &DecodeError{Malformed, "CloudEvents envelope whose data is not an object"}
	}
	mark := len(d.scan.tape)
	d.scan.object(int(data.val), 1, &d.dataOrder) // scanned before: it is well-formed
	env.data = d.scan.tape[mark:]
	return nil
}

// envelopeType returns the layout of an envelope's type.
func (d *Decoder) envelopeType(env *envelope) (*layout, error) {
	if d.o.TypeField != defaultTypeField {
		if i := d.member(env.all, d.o.TypeField); i >= 0 {
			return d.typeIn(&env.all[i])
		}
	}
	name := d.textOf(env.typ)
	t := d.declared(name)
	if dot := bytes.LastIndexByte(name, '.'); t == nil && dot >= 0 {
		t = d.declared(name[dot+1:])
	}
	return d.counted(t, name), nil
}

// standIn lets the envelope give the time and the identity that its data did not.
func (d *Decoder) standIn(t *layout, env *envelope) {
	if isText(env.time) && (t.time == nil || d.timeErr == errMissing) { //nolint:errorlint // set by the decoder, never wrapped
		d.envelopeTime(t, env)
	}
	if t.id == nil || d.idErr == errMissing { //nolint:errorlint // set by the decoder, never wrapped
		if t.id != nil {
			d.put(t.id, env.id)
		}
		at := len(d.tail)
		d.tail = append(d.tail, d.textOf(env.source)...)
		d.tail = append(d.tail, ' ')
		d.tail = append(d.tail, d.textOf(env.id)...)
		d.id, d.idErr = d.tailRef(at), nil
	}
}

// envelopeTime takes the envelope's time; a declared time field is filled with it
// where its type can hold it.
func (d *Decoder) envelopeTime(t *layout, env *envelope) {
	if t.time != nil && t.time.slot >= 0 {
		d.put(t.time, env.time)
	}
	d.time, d.timeErr = ParseTime(view(d.textOf(env.time)))
}
