"""Document 002, listings 5-17 and 5-18: a Keras network, and a callback that reports; with the search of listing 5-19.

`tensorflow.keras` is Keras 3, which runs without TensorFlow, too: here it is imported by its own name.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras takes TensorFlow otherwise

from keras.layers import Dense, Dropout, Flatten
from keras.models import Sequential
from keras.utils import to_categorical
from trialwright import tune
from trialwright.tune.integration.keras import TuneReportCallback
from trialwright.tune.suggest.hyperopt import HyperOptSearch

import images as mnist
from budget import budget
from images import PIXELS


def load_data():
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    num_classes = 10
    x_train, x_test = x_train / 255.0, x_test / 255.0
    y_train = to_categorical(y_train, num_classes)
    y_test = to_categorical(y_test, num_classes)
    return (x_train, y_train), (x_test, y_test)


def objective(config):
    (x_train, y_train), (x_test, y_test) = load_data()
    model = Sequential()
    model.add(Flatten(input_shape=(PIXELS, PIXELS)))
    model.add(Dense(config["hidden"], activation=config["activation"]))
    model.add(Dropout(config["rate"]))
    model.add(Dense(10, activation="softmax"))

    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=10,
              validation_data=(x_test, y_test),
              callbacks=[TuneReportCallback({"mean_accuracy": "accuracy"})])


initial_params = [{"rate": 0.2, "hidden": 128, "activation": "relu"}]
algo = HyperOptSearch(points_to_evaluate=initial_params)

search_space = {
    "rate": tune.uniform(0.1, 0.5),
    "hidden": tune.randint(32, 512),
    "activation": tune.choice(["relu", "tanh"])
}

analysis = tune.run(
    objective,
    name="keras_hyperopt_exp",
    search_alg=algo,
    metric="mean_accuracy",
    mode="max",
    stop={"mean_accuracy": 0.99},
    num_samples=budget(10, 2),
    config=search_space,
)
print("Best hyperparameters found were: ", analysis.best_config)
