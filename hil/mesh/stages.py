def stages_of(experiment, chip): raise NotImplementedError
