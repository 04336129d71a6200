"""From folders to models (`project`) and from questions to statements (`pipeline`), through passes and strategies."""
