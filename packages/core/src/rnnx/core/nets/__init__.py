"""What nets are made of besides cells: linear layers, dropout, ways round a layer, several cells a step."""
