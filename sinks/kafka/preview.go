package kafka

import "github.com/cepheus-cep/cepheus/sinks"

// Preview shows the record of the first row on a topic. It connects to no broker.
func Preview(topic string, rows []sinks.Row) (text string, taken int, err error) {
	if _, err := sinks.ParseAlert(rows[0].Alert); err != nil {
		return "", 0, err
	}
	h := headOf(rows[0].Alert)
	parts := []sinks.PreviewPart{{Name: "key", Value: string(h.recordKey())}}
	for _, header := range h.headers(nil, "") {
		parts = append(parts, sinks.PreviewPart{Name: "header " + header.name, Value: string(header.value)})
	}
	parts = append(parts, sinks.PreviewPart{Name: "value", Value: string(rows[0].Alert)})
	return sinks.PreviewParts("a record on the topic "+topic, parts...), 1, nil
}
